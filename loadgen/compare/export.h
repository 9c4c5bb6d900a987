// Results in the formats of other tools, and as a baseline of our own. Each writes all results of
// the list; the caller looks at ferror.
#ifndef SEALPOST_EXPORT_H
#define SEALPOST_EXPORT_H

#include <stdio.h>

#include "measurement_parse.h"

// Bencher's metric format: {pattern: {metric: {value, lower_value, upper_value}}}, the median,
// smallest and largest of the repeats. Limited, broken and faulty results are left out.
// Errors: -ENOMEM.
// Source: Bencher Metric Format, https://bencher.dev/docs/reference/bencher-metric-format/
NODISCARD int export_write_bencher(const struct measurement_list *list, FILE *out);
// Go benchmark lines, one for each result, as benchstat reads them. Left out are the same.
// Source: Go benchmark data format, https://go.dev/design/14313-benchmark-format
void export_write_go(const struct measurement_list *list, FILE *out);
// JUnit: delivery, the generator's verdict and every threshold of each result. Errors: -ENOMEM.
NODISCARD int export_write_junit(const struct measurement_list *list, FILE *out);
// A line for each result, all of them: names, settings, figures. RFC 4180.
void export_write_csv(const struct measurement_list *list, FILE *out);
// What a later run elsewhere can be held against: ratios to the raw forwarder and processor time
// for each message, never rates. Results without ratios are left out. Errors: -ENOMEM, -ENODATA
// (none has ratios).
NODISCARD int export_write_baseline(const struct measurement_list *list, FILE *out);

#endif
