const { annotateSessionActivity } = require("connect-session-activity");
const { startSessionTracking } = require("connect-session-activity/kafka");
const { createSessionKeySet } = require("connect-session-activity/signature");
const { openSignalDatabase } = require("connect-session-activity/history");
const { startHistoryWorker } = require("connect-session-activity/history-worker");
const { createTestTracking } = require("connect-session-activity/testing");
const { createRunChecker } = require("connect-session-activity/trail");
const { run } = require("./run.mjs");

const required = [
  annotateSessionActivity,
  startSessionTracking,
  createSessionKeySet,
  openSignalDatabase,
  startHistoryWorker,
  createTestTracking,
  createRunChecker,
];
if (required.some((one) => typeof one !== "function")) throw new Error("something is missing");
void run().then((result) => process.stdout.write(`${JSON.stringify(result)}\n`));
