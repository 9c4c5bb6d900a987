// For fuzzers of scenarios: none is ready-made.
#include "ready_made.h"

const struct ready_made ready_made_all[1];
const uint32_t ready_made_count = 0;
