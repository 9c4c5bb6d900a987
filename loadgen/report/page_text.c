// page.html, page.css and the scripts, embedded by the assembler. CMakeLists.txt tells it where
// they are and rebuilds this file when one changes.
#include "page_text.h"

// clang-format off
__asm__(".pushsection .rodata\n"
        ".global page_text_html\n"
        "page_text_html:\n"
        ".incbin \"page.html\"\n"
        ".byte 0\n"
        ".global page_text_css\n"
        "page_text_css:\n"
        ".incbin \"page.css\"\n"
        ".byte 0\n"
        ".global page_text_js\n"
        "page_text_js:\n"
        ".incbin \"page_values.js\"\n"
        ".incbin \"page_charts.js\"\n"
        ".incbin \"page_sections.js\"\n"
        ".incbin \"page_measured.js\"\n"
        ".incbin \"page_agents.js\"\n"
        ".incbin \"page_capacity.js\"\n"
        ".incbin \"page_sweep.js\"\n"
        ".incbin \"page_plan.js\"\n"
        ".incbin \"page_main.js\"\n"
        ".byte 0\n"
        ".popsection\n");
// clang-format on
