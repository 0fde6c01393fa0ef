using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Signal;

/// <summary>The adjoint of a discrete Fourier transform: the transform back, cut and scaled as the forward one was filled and scaled.</summary>
/// <param name="AxisAttribute">The axis of opset 17; null where it is an input.</param>
/// <param name="Axis">The axis, counted from the front.</param>
/// <param name="Rank">Dimensions of the input, the parts included.</param>
/// <param name="Length">Length of the transform.</param>
internal sealed record FourierGradient(long? AxisAttribute, int Axis, int Rank, int Length)
{
    public void Apply(GradientContext context, DiscreteFourier forward, Value gradient, int given)
    {
        Value x = context.Input(0);
        if (forward.IsInverse && forward.IsOnesided) gradient = OfSymmetricSpectrum(gradient);
        else if (forward.IsInverse) gradient = Transform(gradient, isInverse: false, isOnesided: false) * gradient.Scalar(1.0 / Length);
        else gradient = Transform(Fit(gradient, Length), isInverse: true, isOnesided: false) * gradient.Scalar(Length);
        gradient = Fit(gradient, given);
        context.SetInputGradient(0, context.Node.KnownLength(x, -1) == 1 ? gradient.Slice(Rank - 1, 0, 1) : gradient);
    }

    /// <summary>Real numbers from half a spectrum: each bin counts for its mirror image too, but for the first and the middle one.</summary>
    private Value OfSymmetricSpectrum(Value gradient)
    {
        Value spectrum = Transform(gradient, isInverse: false, isOnesided: true);
        int bins = Length / 2 + 1;
        float[] weights = [.. Enumerable.Range(0, bins).Select(k => k == 0 || 2 * k == Length ? 1f : 2f)];
        Value weight = gradient.Numbers("weights", new Shape([bins, .. Enumerable.Repeat(1L, Rank - 1 - Axis)]), weights);
        return spectrum * (weight * gradient.Scalar(1.0 / Length));
    }

    private Value Transform(Value value, bool isInverse, bool isOnesided)
    {
        var attributes = new Attributes { { "inverse", isInverse }, { "onesided", isOnesided } };
        if (AxisAttribute is not null) attributes.Add("axis", Axis);
        return AxisAttribute is not null ? value.Apply("DFT", attributes) : value.Apply("DFT", attributes, null, value.Graph.AddConstant("axis", Tensor.Scalar((long)Axis)));
    }

    /// <summary>Cuts the axis to a length, or fills it with zeros.</summary>
    private Value Fit(Value value, int length)
    {
        int had = value.Producer!.KnownLength(value, Axis);
        if (had > length) return value.Slice(Axis, 0, length);
        var after = new long[Rank];
        after[Axis] = length - had;
        return had == length ? value : value.Pad(new long[Rank], after);
    }
}
