// The fit of the Universal Scalability Law. No I/O.
#include "usl.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define STEPS_MAX 200u
#define PARAMETERS 3u // 1: λ, 2: σ, 3: κ

// Which of σ and κ are free; the other ones are 0.
enum { FREE_SIGMA = 1u, FREE_KAPPA = 2u };

struct samples {
    uint32_t count;
    double n[USL_POINTS_MAX], x[USL_POINTS_MAX];
};

struct curve {
    double p[PARAMETERS]; // λ, σ, κ
    double squares;       // of the residuals
};

double usl_predict(double lambda, double sigma, double kappa, double n)
{
    return lambda * n / (1 + sigma * (n - 1) + kappa * n * (n - 1));
}

static double squares_of(const struct samples *s, const double p[PARAMETERS])
{
    double sum = 0;

    for (uint32_t i = 0; i < s->count; i++) {
        double off = s->x[i] - usl_predict(p[0], p[1], p[2], s->n[i]);

        sum += off * off;
    }
    return sum;
}

static uint32_t pick(unsigned mask, unsigned which[PARAMETERS])
{
    uint32_t count = 0;

    which[count++] = 0;
    if (mask & FREE_SIGMA)
        which[count++] = 1;
    if (mask & FREE_KAPPA)
        which[count++] = 2;
    return count;
}

// Solve a symmetric system of up to three equations by elimination with pivots; false if it has no
// one solution.
static bool solve(double a[PARAMETERS][PARAMETERS], double b[PARAMETERS], uint32_t size)
{
    for (uint32_t column = 0; column < size; column++) {
        uint32_t pivot = column;

        for (uint32_t row = column + 1; row < size; row++) {
            if (fabs(a[row][column]) > fabs(a[pivot][column]))
                pivot = row;
        }
        if (!(fabs(a[pivot][column]) > 1e-300))
            return false;
        for (uint32_t k = 0; k < size && pivot != column; k++) {
            double swap = a[column][k];

            a[column][k] = a[pivot][k];
            a[pivot][k] = swap;
        }
        if (pivot != column) {
            double swap = b[column];

            b[column] = b[pivot];
            b[pivot] = swap;
        }
        for (uint32_t row = column + 1; row < size; row++) {
            double factor = a[row][column] / a[column][column];

            for (uint32_t k = column; k < size; k++)
                a[row][k] -= factor * a[column][k];
            b[row] -= factor * b[column];
        }
    }
    for (uint32_t row = size; row-- > 0;) {
        for (uint32_t k = row + 1; k < size; k++)
            b[row] -= a[row][k] * b[k];
        b[row] /= a[row][row];
    }
    return true;
}

// N/X = 1/λ + (σ/λ)(N − 1) + (κ/λ)N(N − 1), weighted by X²/N so that the errors are about those of
// X; columns scaled, for N may go to a million.
static bool start(const struct samples *s, unsigned mask, double p[PARAMETERS])
{
    unsigned which[PARAMETERS];
    uint32_t size = pick(mask, which);
    double a[PARAMETERS][PARAMETERS] = {{0}}, b[PARAMETERS] = {0}, scale[PARAMETERS] = {1, 1, 1};
    double top = 1;

    for (uint32_t i = 0; i < s->count; i++)
        top = fmax(top, s->n[i]);
    scale[1] = top;
    scale[2] = top * top;
    for (uint32_t i = 0; i < s->count; i++) {
        double n = s->n[i], w = s->x[i] * s->x[i] / n;
        double terms[PARAMETERS] = {1, (n - 1) / scale[1], n * (n - 1) / scale[2]};

        for (uint32_t j = 0; j < size; j++) {
            for (uint32_t k = 0; k < size; k++)
                a[j][k] += w * w * terms[which[j]] * terms[which[k]];
            b[j] += w * w * terms[which[j]] * n / s->x[i];
        }
    }
    memset(p, 0, PARAMETERS * sizeof *p);
    if (!solve(a, b, size) || !(b[0] > 0))
        return false;
    p[0] = 1 / b[0];
    for (uint32_t j = 1; j < size; j++)
        p[which[j]] = fmax(0, b[j] / scale[which[j]] * p[0]);
    return isfinite(p[0]) && isfinite(p[1]) && isfinite(p[2]);
}

// The normal equations of one step: a = JᵀJ, b = Jᵀ(residuals).
static void build(const struct samples *s, const double p[PARAMETERS],
                  const unsigned which[PARAMETERS], uint32_t size, double a[PARAMETERS][PARAMETERS],
                  double b[PARAMETERS])
{
    memset(a, 0, PARAMETERS * sizeof *a);
    memset(b, 0, PARAMETERS * sizeof *b);
    for (uint32_t i = 0; i < s->count; i++) {
        double n = s->n[i], below = 1 + p[1] * (n - 1) + p[2] * n * (n - 1);
        double x = p[0] * n / below, off = s->x[i] - x;
        double slope[PARAMETERS] = {n / below, -x * (n - 1) / below, -x * n * (n - 1) / below};

        for (uint32_t j = 0; j < size; j++) {
            for (uint32_t k = 0; k < size; k++)
                a[j][k] += slope[which[j]] * slope[which[k]];
            b[j] += slope[which[j]] * off;
        }
    }
}

// Levenberg-Marquardt from p; σ and κ are kept at 0 or above by cutting each step there.
static void refine(const struct samples *s, unsigned mask, struct curve *c)
{
    unsigned which[PARAMETERS];
    uint32_t size = pick(mask, which);
    double damping = 1e-3;

    c->squares = squares_of(s, c->p);
    for (unsigned step = 0; step < STEPS_MAX && damping < 1e12; step++) {
        double a[PARAMETERS][PARAMETERS], b[PARAMETERS], tried[PARAMETERS], squares;

        build(s, c->p, which, size, a, b);
        for (uint32_t j = 0; j < size; j++)
            a[j][j] *= 1 + damping;
        if (!solve(a, b, size))
            return;
        memcpy(tried, c->p, sizeof tried);
        for (uint32_t j = 0; j < size; j++)
            tried[which[j]] = fmax(0, tried[which[j]] + b[j]);
        squares = squares_of(s, tried);
        if (!(tried[0] > 0) || !(squares < c->squares)) {
            damping *= 10;
            continue;
        }
        memcpy(c->p, tried, sizeof tried);
        damping /= 10;
        if (c->squares - squares <= 1e-14 * c->squares) {
            c->squares = squares;
            return;
        }
        c->squares = squares;
    }
}

static void take_points(struct samples *s, const struct usl_point *points, uint32_t count)
{
    s->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (points[i].is_limited || !(points[i].n >= 1) || !(points[i].x > 0))
            continue;
        s->n[s->count] = points[i].n;
        s->x[s->count++] = points[i].x;
    }
}

static uint32_t count_sizes(const struct samples *s)
{
    uint32_t different = 0;

    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t j = 0;

        while (j < i && s->n[j] != s->n[i])
            j++;
        different += j == i;
    }
    return different;
}

static void describe(struct usl_fit *fit, const struct samples *s, const struct curve *c)
{
    double mean = 0, total = 0, relative = 0;

    fit->has_parameters = true;
    fit->lambda = c->p[0];
    fit->sigma = c->p[1];
    fit->kappa = c->p[2];
    for (uint32_t i = 0; i < s->count; i++)
        mean += s->x[i] / s->count;
    for (uint32_t i = 0; i < s->count; i++) {
        double off = s->x[i] - usl_predict(c->p[0], c->p[1], c->p[2], s->n[i]);

        total += (s->x[i] - mean) * (s->x[i] - mean);
        relative += off / s->x[i] * (off / s->x[i]) / s->count;
    }
    fit->residual_rms = sqrt(relative);
    fit->r2 = total > 0 ? 1 - c->squares / total : c->squares > 0 ? 0 : 1;
    fit->has_peak = c->p[2] > 0 && c->p[1] < 1;
    if (fit->has_peak) {
        fit->peak_n = fmax(1, sqrt((1 - c->p[1]) / c->p[2]));
        fit->peak_x = usl_predict(c->p[0], c->p[1], c->p[2], fit->peak_n);
    }
}

void usl_fit(struct usl_fit *fit, const struct usl_point *points, uint32_t count)
{
    struct samples s;
    struct curve best = {.squares = INFINITY};
    uint32_t sizes;

    assert(count <= USL_POINTS_MAX);
    *fit = (struct usl_fit){.used = 0};
    take_points(&s, points, count);
    fit->used = s.count;
    sizes = count_sizes(&s);
    if (sizes < USL_POINTS_MIN) {
        snprintf(fit->reason, sizeof fit->reason,
                 "%u of %u points are of different sizes and not limited by the generator; a fit "
                 "needs %u",
                 sizes, count, USL_POINTS_MIN);
        return;
    }
    // From the simplest curve on: one with more to it must be better by more than rounding.
    for (unsigned mask = 0; mask <= (FREE_SIGMA | FREE_KAPPA); mask++) {
        struct curve c;

        if (!start(&s, mask, c.p))
            continue;
        refine(&s, mask, &c);
        if (c.squares < best.squares * (1 - 1e-9))
            best = c;
    }
    assert(isfinite(best.squares)); // λ alone always has a solution
    describe(fit, &s, &best);
    for (uint32_t i = 0; i < count; i++) {
        if (!points[i].is_limited && points[i].n >= 1 && points[i].x > 0)
            fit->residuals[i] =
                points[i].x - usl_predict(fit->lambda, fit->sigma, fit->kappa, points[i].n);
    }
    fit->is_meaningful = fit->residual_rms <= USL_RESIDUAL_MAX;
    if (!fit->is_meaningful)
        snprintf(fit->reason, sizeof fit->reason,
                 "the curve is off by %.0f %% (root mean square), more than %.0f %%: these points "
                 "do not follow the law, or are too unsteady",
                 100 * fit->residual_rms, 100 * USL_RESIDUAL_MAX);
}
