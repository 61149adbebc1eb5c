/* batch_norm.h - rows of the tables that the primitives of batch norm hand on, each with one column a channel. */
#ifndef ICL_OPS_BATCH_NORM_H
#define ICL_OPS_BATCH_NORM_H

/* bn_sums, f64: the sum of squares is that of deviations from the mean. */
enum { BN_SUMS_COUNT, BN_SUMS_SUM, BN_SUMS_SQUARES, BN_SUMS_ROWS };
/* bn_coefficients and bn_inference: y = a (x - mean) + b */
enum { BN_A, BN_B, BN_MEAN, BN_INVERSE_STD, BN_VARIANCE, BN_COEFFICIENTS_ROWS };
/* bn_scale_sums, f64: of g and of g (x - mean) */
enum { BN_SCALE_SUM, BN_SCALE_PRODUCTS, BN_SCALE_ROWS };
/* bn_coefficients_grad: the statistics add k0 - k1 (x - mean) to the gradient of x. */
enum { BN_K1, BN_K0, BN_WEIGHT_GRADIENT, BN_BIAS_GRADIENT, BN_GRADIENT_ROWS };

#endif
