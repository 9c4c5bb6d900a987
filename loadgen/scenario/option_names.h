// The options of the command line as a list: names, whether they take a value. Walks the argp
// parsers, so that whoever adds an option has added a key of the scenario file too.
#ifndef SEALPOST_OPTION_NAMES_H
#define SEALPOST_OPTION_NAMES_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#define OPTION_NAMES_MAX 128u

struct option_name {
    const char *name; // the long one, borrowed from the table
    bool has_value;
    int key, flags; // as in the table
};

struct option_names {
    uint32_t count;
    struct option_name items[OPTION_NAMES_MAX];
};

// Of a parser and its children. More than OPTION_NAMES_MAX are our bug.
void option_names_collect(struct option_names *names, const struct argp *argp);
// The index of a name, or -1.
int option_names_find(const struct option_names *names, const char *name);

#endif
