// Opens an embedded database in a process of its own, or only locks its folder, and keeps it. argv holds the path of the
// compiled package's folder, what to do, and the folder. It prints what came of it, and exits with the end of stdin.
const [compiled, work, folder] = process.argv.slice(2);
const { openSignalDatabase } = await import(`${compiled}/src/history/index.js`);
const { lockFolder } = await import(`${compiled}/src/history/folder-lock.js`);
process.stdin.on("end", () => process.exit(0)).resume();
try {
  if (work === "lock") await lockFolder(folder);
  else await openSignalDatabase({ url: folder }).query(work);
  process.stdout.write("has it\n");
} catch (error) {
  process.stdout.write(`${error.code}: ${error.message}\n`);
}
