// Intrusive doubly linked list with a sentinel head. An unlinked node points to itself.
#ifndef SEALPOST_LIST_H
#define SEALPOST_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "units.h"

struct list {
    struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool list_is_empty(const struct list *head)
{
    return head->next == head;
}

// A node is linked when it does not point to itself.
static inline bool list_is_linked(const struct list *node)
{
    return node->next != node;
}

static inline void list_push(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

// The first node, unlinked, or NULL.
static inline struct list *list_pop(struct list *head)
{
    struct list *node = head->next;

    if (node == head)
        return NULL;
    list_remove(node);
    return node;
}

#endif
