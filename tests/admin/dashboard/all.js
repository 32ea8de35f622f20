// One process for all of them: a process a file would take longer than the tests.
import "./flame_layout.test.js";
import "./format.test.js";
import "./histogram.test.js";
import "./history.test.js";
import "./memory_series.test.js";
import "./paging.test.js";
import "./rates.test.js";
