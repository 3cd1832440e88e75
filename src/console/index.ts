export { type SessionConsole, startConsole } from "./console.js";
export type { ConsoleOptions } from "./console-options.js";
