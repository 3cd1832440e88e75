/**
 * Settings for a function. PostgreSQL plans its statements once for each connection, perhaps while the tables are empty, and
 * perhaps never again before they are large: so the plans must not depend on what it knows of the tables. Each row is found by
 * an index, and compiling such statements would take longer than they do.
 */
export const planned = `set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off`;
