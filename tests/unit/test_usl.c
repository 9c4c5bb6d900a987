// The fit: known parameters come back, also through noise; what cannot be fitted is said.
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "units.h"
#include "usl.h"

static struct usl_point points[USL_POINTS_MAX];
static struct usl_fit fit;
static uint64_t seed = 1;

static double noise(double share)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return 1 + share * (2 * ((double)(seed >> 11) / (double)(1ull << 53)) - 1);
}

static uint32_t make(double lambda, double sigma, double kappa, const double *sizes, uint32_t count,
                     double share)
{
    memset(points, 0, sizeof points);
    for (uint32_t i = 0; i < count; i++)
        points[i] = (struct usl_point){
            .n = sizes[i], .x = usl_predict(lambda, sigma, kappa, sizes[i]) * noise(share)};
    return count;
}

static const double few[] = {1, 2, 4, 8, 16, 32};
static const double wide[] = {10, 30, 100, 300, 1000, 3000, 10000, 100000};

Test(usl, fit_exact)
{
    static const double sigmas[] = {0.001, 0.02, 0.2, 0.6}, kappas[] = {1e-5, 1e-3, 0.01};

    for (unsigned i = 0; i < COUNT_OF(sigmas); i++) {
        for (unsigned j = 0; j < COUNT_OF(kappas); j++) {
            usl_fit(&fit, points, make(50000, sigmas[i], kappas[j], few, COUNT_OF(few), 0));
            cr_assert(fit.is_meaningful, "%s", fit.reason);
            cr_assert_float_eq(fit.lambda, 50000, 50);
            cr_assert_float_eq(fit.sigma, sigmas[i], 1e-3 * sigmas[i] + 1e-6);
            cr_assert_float_eq(fit.kappa, kappas[j], 1e-2 * kappas[j] + 1e-8);
            cr_assert_float_eq(fit.r2, 1, 1e-6);
            cr_assert_lt(fit.residual_rms, 1e-4);
            cr_assert(fit.has_peak);
            cr_assert_float_eq(fit.peak_n, sqrt((1 - sigmas[i]) / kappas[j]), 0.02 * fit.peak_n);
        }
    }
}

Test(usl, fit_sizes_over_orders_of_magnitude)
{
    usl_fit(&fit, points, make(300, 0.002, 1e-9, wide, COUNT_OF(wide), 0));
    cr_assert(fit.is_meaningful, "%s", fit.reason);
    cr_assert_float_eq(fit.lambda, 300, 3);
    cr_assert_float_eq(fit.sigma, 0.002, 1e-4);
    cr_assert_float_eq(fit.kappa, 1e-9, 1e-10);
}

Test(usl, fit_noise)
{
    for (unsigned i = 0; i < 50; i++) {
        usl_fit(&fit, points, make(50000, 0.05, 0.002, few, COUNT_OF(few), 0.02));
        cr_assert(fit.is_meaningful, "%s", fit.reason);
        cr_assert_float_eq(fit.lambda, 50000, 3000);
        cr_assert_float_eq(fit.sigma, 0.05, 0.03);
        cr_assert_float_eq(fit.kappa, 0.002, 0.001);
        cr_assert_gt(fit.r2, 0.97);
        cr_assert_lt(fit.residual_rms, 0.025);
    }
}

Test(usl, fit_neither_parameter_below_zero)
{
    // Faster than in proportion: only a negative σ or κ would follow.
    for (uint32_t i = 0; i < 5; i++)
        points[i] = (struct usl_point){.n = 1u << i, .x = 1000 * pow(1u << i, 1.05)};
    usl_fit(&fit, points, 5);
    cr_assert(fit.has_parameters);
    cr_assert_eq(fit.sigma, 0);
    cr_assert_eq(fit.kappa, 0);
    cr_assert_not(fit.has_peak);
    // In proportion with noise.
    for (unsigned i = 0; i < 50; i++) {
        usl_fit(&fit, points, make(1000, 0, 0, few, COUNT_OF(few), 0.01));
        cr_assert(fit.sigma >= 0 && fit.kappa >= 0);
        cr_assert_lt(fit.sigma, 0.01);
    }
}

Test(usl, fit_no_peak_without_kappa)
{
    usl_fit(&fit, points, make(1000, 0.1, 0, few, COUNT_OF(few), 0));
    cr_assert(fit.is_meaningful);
    cr_assert_float_eq(fit.sigma, 0.1, 1e-4);
    cr_assert_lt(fit.kappa, 1e-7);
    cr_assert(!fit.has_peak || fit.peak_n > 3000);
}

Test(usl, fit_residuals)
{
    uint32_t count = make(1000, 0.1, 0.001, few, COUNT_OF(few), 0);

    points[3].x *= 1.05;
    usl_fit(&fit, points, count);
    cr_assert(fit.is_meaningful);
    for (uint32_t i = 0; i < count; i++)
        cr_assert_float_eq(fit.residuals[i],
                           points[i].x - usl_predict(fit.lambda, fit.sigma, fit.kappa, points[i].n),
                           1e-6);
    cr_assert_gt(fit.residuals[3], 0);
    cr_assert_lt(fit.r2, 1);
}

Test(usl, fit_leaves_limited_points_out)
{
    uint32_t count = make(1000, 0.1, 0.001, few, COUNT_OF(few), 0);

    points[count - 1].x /= 5;
    points[count - 1].is_limited = true;
    usl_fit(&fit, points, count);
    cr_assert_eq(fit.used, count - 1);
    cr_assert(fit.is_meaningful);
    cr_assert_float_eq(fit.sigma, 0.1, 1e-3);
    cr_assert_eq(fit.residuals[count - 1], 0);
}

Test(usl, fit_too_few_points)
{
    uint32_t count = make(1000, 0.1, 0.001, few, 3, 0);

    usl_fit(&fit, points, count);
    cr_assert_not(fit.is_meaningful);
    cr_assert_not(fit.has_parameters);
    cr_assert(strstr(fit.reason, "3 of 3 points") && strstr(fit.reason, "needs 4"), "%s",
              fit.reason);
    // The same size again is not another point.
    points[3] = points[4] = points[2];
    usl_fit(&fit, points, 5);
    cr_assert_not(fit.is_meaningful);
    cr_assert(strstr(fit.reason, "3 of 5 points"), "%s", fit.reason);
    usl_fit(&fit, points, 0);
    cr_assert_not(fit.is_meaningful);
}

Test(usl, fit_points_that_follow_no_law)
{
    static const double x[] = {1000, 200, 1500, 90, 1200, 400};

    for (uint32_t i = 0; i < COUNT_OF(x); i++)
        points[i] = (struct usl_point){.n = few[i], .x = x[i]};
    usl_fit(&fit, points, COUNT_OF(x));
    cr_assert_not(fit.is_meaningful);
    cr_assert(fit.has_parameters);
    cr_assert_gt(fit.residual_rms, USL_RESIDUAL_MAX);
    cr_assert(strstr(fit.reason, "do not follow"), "%s", fit.reason);
}

Test(usl, fit_flat)
{
    // Full from the first point on: all of it cannot be shared.
    for (uint32_t i = 0; i < 5; i++)
        points[i] = (struct usl_point){.n = few[i], .x = 1000 + i};
    usl_fit(&fit, points, 5);
    cr_assert(fit.is_meaningful, "%s", fit.reason);
    cr_assert_float_eq(fit.sigma, 1, 0.02);
    cr_assert_not(fit.has_peak && fit.peak_n < 32);
}
