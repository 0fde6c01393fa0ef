using System.Numerics;
using System.Runtime.CompilerServices;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators;

/// <summary>The loops of fake quantization: vectors first, the scalar formula for the rest.</summary>
internal static class FakeQuantization
{
    /// <summary>The codes relative to the zero point, and the width of one.</summary>
    /// <param name="Scale">Width of a code.</param>
    /// <param name="Low">Lowest code minus the zero point.</param>
    /// <param name="High">Highest code minus the zero point.</param>
    public readonly record struct CodeGrid<T>(T Scale, T Low, T High);

    public static void CheckScalars(InferenceContext context)
    {
        for (int i = 1; i <= 2; i++)
        {
            SymbolicShape? shape = context.InputShape(i);
            context.Node.Expect(shape is null || shape.All(dim => dim.MayEqual(1)), $"input {i} has shape {shape}, expected one element");
            context.Node.Expect(context.InputType(i) == context.InputType(0), $"input {i} is {context.InputType(i).Name()}, expected {context.InputType(0).Name()}");
        }
    }

    public static CodeGrid<T> Grid<T>(EvaluationContext context, float min, float max) where T : unmanaged, IFloatingPointIeee754<T>
    {
        T zeroPoint = context.Input(2).Item<T>();
        return new(context.Input(1).Item<T>(), T.CreateChecked(min) - zeroPoint, T.CreateChecked(max) - zeroPoint);
    }

    public static unsafe void Forward(Tensor x, CodeGrid<float> grid, Tensor y)
    {
        FakeQuantizer.Run((float*)x.Address, (float*)y.Address, 1, x.ElementCount, [new(grid.Scale, grid.Low, grid.High)]);
        GC.KeepAlive(x);
        GC.KeepAlive(y);
    }

    /// <summary>The reference, and the path of gradient checks.</summary>
    public static void Forward<T>(ReadOnlySpan<T> x, CodeGrid<T> grid, Span<T> y) where T : unmanaged, IFloatingPointIeee754<T>
    {
        for (int i = 0; i < x.Length; i++) y[i] = T.Clamp(T.Round(x[i] / grid.Scale, MidpointRounding.ToEven), grid.Low, grid.High) * grid.Scale;
    }

    /// <returns>The gradient of the scale, summed in the order of memory, lane by lane.</returns>
    public static T Backward<T>(ReadOnlySpan<T> x, CodeGrid<T> grid, ReadOnlySpan<T> gradient, Span<T> xGradient) where T : unmanaged, IFloatingPointIeee754<T>
    {
        // Blocks keep the float sums short: their totals are added up in double.
        const int Block = 4096;
        double total = 0;
        for (int start = 0; start < x.Length; start += Block)
        {
            int length = Math.Min(Block, x.Length - start);
            total += double.CreateChecked(BackwardBlock(x.Slice(start, length), grid, gradient.Slice(start, length), xGradient.Slice(start, length)));
        }
        return T.CreateChecked(total);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static T BackwardBlock<T>(ReadOnlySpan<T> x, CodeGrid<T> grid, ReadOnlySpan<T> gradient, Span<T> xGradient) where T : unmanaged, IFloatingPointIeee754<T>
    {
        T sum = T.Zero;
        int i = 0;
        if (typeof(T) == typeof(float) || typeof(T) == typeof(double))
        {
            (Vector<T> scale, Vector<T> low, Vector<T> high) = (new(grid.Scale), new(grid.Low), new(grid.High));
            Vector<T> sums = Vector<T>.Zero;
            for (; i <= x.Length - Vector<T>.Count; i += Vector<T>.Count)
            {
                Vector<T> ratio = new Vector<T>(x[i..]) / scale, code = RoundHalfEven(ratio), upstream = new(gradient[i..]);
                Vector<T> clamped = Vector.Min(Vector.Max(code, low), high), isInside = Vector.Equals(clamped, code);
                Vector.ConditionalSelect(isInside, upstream, Vector<T>.Zero).CopyTo(xGradient[i..]);
                sums += upstream * (clamped - Vector.ConditionalSelect(isInside, ratio, Vector<T>.Zero));
            }
            sum = Vector.Sum(sums);
        }
        for (; i < x.Length; i++)
        {
            T ratio = x[i] / grid.Scale, code = T.Round(ratio, MidpointRounding.ToEven), clamped = T.Clamp(code, grid.Low, grid.High);
            bool isInside = clamped == code;
            xGradient[i] = isInside ? gradient[i] : T.Zero;
            sum += gradient[i] * (clamped - (isInside ? ratio : T.Zero));
        }
        return sum;
    }

    private static Vector<T> RoundHalfEven<T>(Vector<T> value) => typeof(T) == typeof(float)
        ? Vector.Round(value.As<T, float>(), MidpointRounding.ToEven).As<float, T>()
        : Vector.Round(value.As<T, double>(), MidpointRounding.ToEven).As<double, T>();
}
