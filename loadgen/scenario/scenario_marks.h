// Where things stand in a scenario file: the line of each key, of each entry of a list, and of each
// key inside an entry. What a value means is none of its business.
#ifndef SEALPOST_SCENARIO_MARKS_H
#define SEALPOST_SCENARIO_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "units.h"

#define SCENARIO_MARKS_MAX 1024u
#define SCENARIO_MARK_BYTES 48u
// The file, lists, entries; one more may stand where it must not.
#define SCENARIO_DEPTH_MAX 8u
#define SCENARIO_REASON_BYTES 256u

struct scenario_mark {
    char key[SCENARIO_MARK_BYTES];  // of the file; longer ones are cut
    int entry;                      // of its list, from 0; -1: the key itself
    char word[SCENARIO_MARK_BYTES]; // key inside the entry; empty: the entry itself
    bool is_mapping;                // an entry that is not a text
    uint32_t line;
};

struct scenario_marks {
    uint32_t count;
    struct scenario_mark items[SCENARIO_MARKS_MAX];
};

// Read the file's structure. Errors: -EINVAL with half a sentence in reason and its line (it is not
// YAML, nested too deep, more than SCENARIO_MARKS_MAX keys and entries), -ENOMEM.
NODISCARD int scenario_marks_read(struct scenario_marks *marks, const char *text, size_t len,
                                  uint32_t *line, char reason[SCENARIO_REASON_BYTES]);

// The first mark of a key and entry (-1: the key), NULL if there is none.
const struct scenario_mark *scenario_marks_find(const struct scenario_marks *marks, const char *key,
                                                int entry);
// The last mark, at any level, of a key or word with this name.
const struct scenario_mark *scenario_marks_find_name(const struct scenario_marks *marks,
                                                     const char *name);

#endif
