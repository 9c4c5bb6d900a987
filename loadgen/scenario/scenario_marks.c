// Lines of a scenario file, from libyaml's events. Runs once, before any thread.
#include "scenario_marks.h"

#include <errno.h>
#include <stdio.h>
#include <yaml.h>

struct level {
    bool is_mapping;
    bool awaits_value; // of a mapping: its key was there
    int entry;         // of a list
};

struct walk {
    struct scenario_marks *marks;
    struct level levels[SCENARIO_DEPTH_MAX];
    uint32_t depth;
    char key[SCENARIO_MARK_BYTES];
    const char *problem;
};

static void copy(char out[SCENARIO_MARK_BYTES], const yaml_event_t *event)
{
    out[0] = '\0';
    if (event->type == YAML_SCALAR_EVENT)
        snprintf(out, SCENARIO_MARK_BYTES, "%.47s", (const char *)event->data.scalar.value);
}

static void add(struct walk *w, int entry, const char *word, const yaml_event_t *event)
{
    struct scenario_mark *mark;

    if (w->marks->count == SCENARIO_MARKS_MAX) {
        w->problem = "there are too many keys and entries";
        return;
    }
    mark = &w->marks->items[w->marks->count++];
    *mark = (struct scenario_mark){.entry = entry,
                                   .is_mapping = event->type == YAML_MAPPING_START_EVENT,
                                   .line = (uint32_t)event->start_mark.line + 1};
    memcpy(mark->key, w->key, sizeof mark->key);
    snprintf(mark->word, sizeof mark->word, "%s", word);
}

// A scalar, list or mapping stands at the present level.
static void place(struct walk *w, const yaml_event_t *event)
{
    struct level *at = w->depth > 0 ? &w->levels[w->depth - 1] : NULL;
    char word[SCENARIO_MARK_BYTES];

    if (!at)
        return;
    if (at->is_mapping && at->awaits_value) {
        at->awaits_value = false;
        return;
    }
    copy(word, event);
    if (at->is_mapping) {
        at->awaits_value = true;
        if (w->depth == 1) {
            memcpy(w->key, word, sizeof w->key);
            add(w, -1, "", event);
        } else if (w->depth == 3) {
            add(w, w->levels[1].entry, word, event);
        }
        return;
    }
    at->entry++;
    if (w->depth == 2)
        add(w, at->entry, "", event);
}

static void take(struct walk *w, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
    case YAML_ALIAS_EVENT:
        place(w, event);
        break;
    case YAML_MAPPING_START_EVENT:
    case YAML_SEQUENCE_START_EVENT:
        place(w, event);
        if (w->depth == SCENARIO_DEPTH_MAX)
            w->problem = "this is nested too deep";
        else
            w->levels[w->depth++] =
                (struct level){.is_mapping = event->type == YAML_MAPPING_START_EVENT, .entry = -1};
        break;
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        w->depth--;
        break;
    default:
        break;
    }
}

int scenario_marks_read(struct scenario_marks *marks, const char *text, size_t len, uint32_t *line,
                        char reason[SCENARIO_REASON_BYTES])
{
    struct walk w = {.marks = marks};
    yaml_parser_t parser;
    yaml_event_t event;
    bool is_over = false;

    marks->count = 0;
    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    while (!is_over && !w.problem) {
        if (!yaml_parser_parse(&parser, &event)) {
            w.problem = parser.problem ? parser.problem : "it cannot be read";
            *line = (uint32_t)parser.problem_mark.line + 1;
            break;
        }
        *line = (uint32_t)event.start_mark.line + 1;
        take(&w, &event);
        is_over = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    if (w.problem)
        snprintf(reason, SCENARIO_REASON_BYTES, "this is not YAML as scenarios have it: %.120s",
                 w.problem);
    yaml_parser_delete(&parser);
    return w.problem ? -EINVAL : 0;
}

const struct scenario_mark *scenario_marks_find(const struct scenario_marks *marks, const char *key,
                                                int entry)
{
    for (uint32_t i = 0; i < marks->count; i++) {
        const struct scenario_mark *mark = &marks->items[i];

        if (mark->entry == entry && mark->word[0] == '\0' &&
            strncmp(mark->key, key, SCENARIO_MARK_BYTES - 1) == 0)
            return mark;
    }
    return NULL;
}

const struct scenario_mark *scenario_marks_find_name(const struct scenario_marks *marks,
                                                     const char *name)
{
    for (uint32_t i = marks->count; i-- > 0;) {
        const struct scenario_mark *mark = &marks->items[i];
        const char *own = mark->word[0] != '\0' ? mark->word : mark->entry < 0 ? mark->key : "";

        if (own[0] != '\0' && strncmp(own, name, SCENARIO_MARK_BYTES - 1) == 0)
            return mark;
    }
    return NULL;
}
