// Any bytes as a scenario file. What is taken is a bounded list of options, each of them one of
// ours with its line; what is refused says why in one sentence and leaves nothing behind.
#include <assert.h>
#include <string.h>

#include "scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct option_names names = {
    .count = 8,
    .items = {{"connections", true, 'c', 0},
              {"in-flight", true, 'w', 0},
              {"durable", false, 256, 0},
              {"payload", true, 'p', 0},
              {"stage", true, 257, 0},
              {"group", true, 258, 0},
              {"threshold", true, 'T', 0},
              {"scenario", true, 259, 0}},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char reason[SCENARIO_REASON_BYTES];
    struct scenario *s;
    int err;

    if (size > SCENARIO_FILE_MAX_BYTES)
        return 0;
    err = scenario_create(&s, "file", (const char *)data, size, &names, reason);
    if (err < 0) {
        assert(!s && reason[0] != '\0' && strlen(reason) < sizeof reason);
        return 0;
    }
    assert(s->count <= SCENARIO_SETTINGS_MAX);
    for (uint32_t i = 0; i < s->count; i++) {
        const struct scenario_setting *setting = &s->settings[i];
        size_t len = strlen(setting->option);

        assert(option_names_find(&names, setting->option) >= 0);
        assert(strncmp(setting->text, "--", 2) == 0);
        assert(strncmp(setting->text + 2, setting->option, len) == 0);
        assert(setting->text[2 + len] == '=' || setting->text[2 + len] == '\0');
        assert(setting->line > 0);
    }
    scenario_destroy(s);
    return 0;
}
