export default {
  rootDir: "..",
  testMatch: ["<rootDir>/runners/*.test.mjs", "<rootDir>/dist/examples/jest/*.test.ts"],
  moduleFileExtensions: ["js", "mjs", "ts", "json", "node"],
  moduleNameMapper: { "^(\\.{1,2}/.*)\\.js$": "$1" },
  transform: {
    "\\.(m?js|ts)$": [
      "@swc/jest",
      { jsc: { parser: { syntax: "typescript" }, target: "es2023" }, module: { type: "commonjs" } },
    ],
  },
  // This package is ESM: Jest's CommonJS takes it once it is transformed.
  transformIgnorePatterns: ["/node_modules/(?!connect-session-activity/|example-account/)"],
  modulePathIgnorePatterns: ["<rootDir>/node_modules/a-library"],
};
