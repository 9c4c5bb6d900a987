// The Universal Scalability Law fitted to throughputs measured at several sizes:
//
//     X(N) = λN / (1 + σ(N − 1) + κN(N − 1))     σ, κ ≥ 0
//
// λ: one alone; σ: what cannot be shared; κ: what each must settle with each. Source: N. J.
// Gunther, "A General Theory of Computational Scalability Based on Rational Functions"
// (arXiv:0808.1431). Least squares of X: started from the form that is linear in 1/λ, σ/λ, κ/λ,
// finished by Levenberg-Marquardt; of the fits with σ or κ at 0 or free the best that has neither
// below 0. Pure.
#ifndef SEALPOST_USL_H
#define SEALPOST_USL_H

#include <stdbool.h>
#include <stdint.h>

#define USL_POINTS_MAX 64u
#define USL_POINTS_MIN 4u // of different sizes: three parameters, and one to contradict them
// Root mean square of the residuals, relative to what was measured, above which the curve says
// nothing.
#define USL_RESIDUAL_MAX 0.1
#define USL_REASON_BYTES 160u

struct usl_point {
    double n;        // at least 1
    double x;        // throughput
    bool is_limited; // the generator was the limit: left out
};

struct usl_fit {
    bool is_meaningful;            // the figures below may be used
    char reason[USL_REASON_BYTES]; // why not
    uint32_t used;                 // points
    bool has_parameters;           // there is a curve, meaningful or not
    double lambda, sigma, kappa;
    double r2;
    double residual_rms;              // relative
    double residuals[USL_POINTS_MAX]; // measured − fitted; 0 for points left out
    bool has_peak;                    // κ > 0 and σ < 1: the most is at peak_n
    double peak_n, peak_x;
};

void usl_fit(struct usl_fit *fit, const struct usl_point *points, uint32_t count);
double usl_predict(double lambda, double sigma, double kappa, double n);

#endif
