#!/usr/bin/env node
import { runCommandLine } from "./command-line.js";

// If no broker answers, the Kafka client keeps a process alive that has nothing left to do.
process.exit(await runCommandLine(process.argv.slice(2)));
