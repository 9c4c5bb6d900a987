// Who shows what, and when.
#include "display.h"

#define WEB_INTERVAL_NS NS_PER_S

void display_init(struct display *d, const struct options *o, struct web *web, uint64_t now_ns)
{
    *d = (struct display){
        .web = web, .view_next_ns = UINT64_MAX, .web_next_ns = web ? now_ns : UINT64_MAX};
    d->has_view = o->progress_ns > 0 && o->report.view != REPORT_VIEW_NEVER &&
                  view_open(&d->view, o->report.view == REPORT_VIEW_ALWAYS, now_ns);
    progress_init(&d->line, o, now_ns);
    if (d->has_view) {
        d->view_next_ns = now_ns;
        d->line.next_ns = UINT64_MAX;
    }
}

uint64_t display_next_ns(const struct display *d)
{
    uint64_t next_ns = d->line.next_ns < d->view_next_ns ? d->line.next_ns : d->view_next_ns;

    return next_ns < d->web_next_ns ? next_ns : d->web_next_ns;
}

void display_show(struct display *d, const struct live *l)
{
    uint64_t now_ns = l->pulse.at_ns;

    if (now_ns >= d->line.next_ns)
        progress_show(&d->line, l);
    if (now_ns >= d->view_next_ns) {
        view_show(&d->view, l);
        d->view_next_ns = now_ns + VIEW_INTERVAL_NS;
    }
    if (now_ns >= d->web_next_ns) {
        web_publish(d->web, l);
        d->web_next_ns = now_ns + WEB_INTERVAL_NS;
    }
}

void display_finish(struct display *d)
{
    if (d->has_view)
        view_close(&d->view);
    progress_finish(&d->line);
}
