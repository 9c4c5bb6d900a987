// The page's own files, as they are in this folder, inside the program.
#ifndef SEALPOST_PAGE_TEXT_H
#define SEALPOST_PAGE_TEXT_H

// Each ends with a zero.
extern const char page_text_html[];
extern const char page_text_css[];
extern const char page_text_js[]; // all scripts, one after the other

#endif
