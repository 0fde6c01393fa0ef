using Fewbit.Tensors;

namespace Fewbit.Graphs;

/// <summary>The batch normalization that was folded into a convolution's weight: what distribution correction and analytic bias correction need.</summary>
/// <param name="Node">Name of the BatchNormalization node in the original graph.</param>
/// <param name="Scale">Gamma, one per channel.</param>
/// <param name="Bias">Beta, one per channel.</param>
/// <param name="Mean">Running mean, one per channel.</param>
/// <param name="Variance">Running variance, one per channel.</param>
/// <param name="Epsilon">Added to the variance.</param>
/// <param name="Weight">The weight before folding.</param>
public sealed record FoldedBatchNorm(string Node, Tensor Scale, Tensor Bias, Tensor Mean, Tensor Variance, float Epsilon, Tensor Weight);
