// The agents of a run in its result.
#ifndef SEALPOST_AGENT_REPORT_H
#define SEALPOST_AGENT_REPORT_H

#include <stdio.h>
#include <yyjson.h>

#include "run.h"

// "agents": a list, empty when one process made the run alone.
void agent_report_add(yyjson_mut_doc *d, yyjson_mut_val *root, const struct outcome *out);
// The same of a run that goes on, from what each told last.
void agent_report_add_live(yyjson_mut_doc *d, yyjson_mut_val *root, const struct live *l);
// A line for each, for people; nothing without agents.
void agent_report_print(const struct outcome *out, FILE *f);

#endif
