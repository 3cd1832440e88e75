throw new Error("no package manager may run this: it was not permitted");
