// The result for people: a table.
#ifndef SEALPOST_SUMMARY_H
#define SEALPOST_SUMMARY_H

#include <stdio.h>

#include "run.h"

// Percentiles with fewer than ten samples beyond them are shown as "-". A run that did not begin is
// one line that says why.
void summary_print(const struct outcome *out, FILE *to);

#endif
