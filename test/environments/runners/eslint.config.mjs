import tseslint from "typescript-eslint";

const tsconfigRootDir = new URL("../dist", import.meta.url).pathname;

export default tseslint.config(
  { files: ["dist/examples/**/*.ts"], extends: [tseslint.configs.recommendedTypeChecked] },
  { languageOptions: { parserOptions: { project: ["tsconfig.json"], tsconfigRootDir } } },
  { ignores: ["dist/gen", "dist/bundles"] },
);
