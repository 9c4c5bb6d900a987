// The HTML page: everything in one file, no network. It shows JSON documents of the schemas
// sealpost.load/1 and sealpost.capacity/1.
//
// Safe with hostile text in the documents: inside the page they lie in a data block in which "<" is
// escaped, the scripts make text nodes of them only, and the page's policy allows no script but its
// own, by its hash, and no connection (the live page: to where it came from).
#ifndef SEALPOST_PAGE_H
#define SEALPOST_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "units.h"

#define PAGE_POLICY_BYTES 256u

enum page_kind { PAGE_SAVED, PAGE_LIVE };

// The page's Content-Security-Policy.
void page_format_policy(enum page_kind kind, char policy[PAGE_POLICY_BYTES]);
// Write JSON so that it can lie inside a script element: "<", U+2028 and U+2029 are escaped.
void page_put_json(FILE *to, const char *json);
// The page with these documents, either NULL: not there. For free(), zero-terminated, `*len`
// without the zero. NULL when memory is short.
char *page_format(enum page_kind kind, const char *result, const char *capacity, size_t *len);
// Write it to a file, "-" is standard output. Errors: those of output_file_write.
NODISCARD int page_write(const char *file, const char *result, const char *capacity);

#endif
