export default {
  rootDir: "..",
  testMatch: ["<rootDir>/runners/*.test.mjs", "<rootDir>/dist/examples/jest/*.test.ts"],
  extensionsToTreatAsEsm: [".ts"],
  // TypeScript says ./routes.js for ./routes.ts.
  moduleNameMapper: { "^(\\.{1,2}/.*)\\.js$": "$1" },
  transform: { "\\.ts$": ["@swc/jest", { jsc: { parser: { syntax: "typescript" }, target: "es2023" } }] },
  modulePathIgnorePatterns: ["<rootDir>/node_modules/a-library"],
};
