using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX GridSample, opset 20: reads x [N, C, spatial] at the positions of a grid [N, out spatial, rank], given in [-1, 1], last dimension first.</summary>
/// <param name="Mode">Nearest, linear or cubic.</param>
/// <param name="Padding">What lies outside: zeros, border or reflection.</param>
/// <param name="AlignsCorners">Whether -1 and 1 are the centres of the corner elements; otherwise their outer edges.</param>
internal sealed record GridSample(Interpolation Mode, string Padding, bool AlignsCorners) : ICompiledOperator, IDifferentiable
{
    internal const double CubicA = -0.75;

    public static GridSample Parse(Node node)
    {
        Interpolation mode = node.String("mode", "linear") switch
        {
            "linear" or "bilinear" => Interpolation.Linear,
            "nearest" => Interpolation.Nearest,
            "cubic" or "bicubic" => Interpolation.Cubic,
            string other => throw node.Fail($"mode is '{other}', expected linear, nearest or cubic"),
        };
        string padding = node.String("padding_mode", "zeros");
        node.Expect(padding is "zeros" or "border" or "reflection", $"padding_mode is '{padding}', expected zeros, border or reflection");
        return new(mode, padding, node.Int("align_corners", 0) != 0);
    }

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(2, 2);
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } x && context.InputShape(1) is { } grid)
        {
            node.Expect(x.Rank >= 3 && grid.Rank == x.Rank && grid[x.Rank - 1].MayEqual(x.Rank - 2), $"input has shape {x} and grid {grid}, expected a grid [N, ..., {x.Rank - 2}] of rank {x.Rank}");
            node.Expect(x[0].MayEqual(grid[0]), $"input has shape {x} and grid {grid}, expected one length of the batch");
            node.Expect(!x.Dims[2..].Contains(0), $"input has shape {x}, expected spatial dimensions of 1 or more");
            shape = new([x[0].Or(grid[0]), x[1], .. grid.Dims[1..^1]]);
        }
        context.ExpectType(0, Casting.Supports, "numbers");
        context.ExpectType(1, ElementTypes.IsFloat, "a float type");
        context.SetOutput(0, context.InputType(0), shape);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (context.Input(0).Type == context.Input(1).Type) this.PrepareAndRun(context);
        else RunMixed(context);
    }

    public IKernel? Compile(CompilationContext context) => context.InputType(0) switch
    {
        var type when type != context.InputType(1) => null,
        ElementType.Float32 => new Kernel<float>(this, context.InputShape(0), context.InputShape(1)),
        ElementType.Float64 => new Kernel<double>(this, context.InputShape(0), context.InputShape(1)),
        var other => context.Node.NoKernel(other),
    };

    public void Gradient(GradientContext context) =>
        CompositeGradient.Apply(context, inputs => [GridSampleFormula.Of(context.Node, this, inputs[0]!, inputs[1]!).ToShapeOf(context.Output())]);

    /// <summary>Elements and positions of two types meet in float64.</summary>
    private void RunMixed(EvaluationContext context)
    {
        Tensor x = Casting.Convert(context.Input(0), ElementType.Float64), grid = Casting.Convert(context.Input(1), ElementType.Float64), y = Tensor.AllocateUninitialized(ElementType.Float64, context.Output(0).Shape);
        new Kernel<double>(this, x.Shape, grid.Shape).Run(new(context.Node, [x, grid], [y], new()));
        Casting.Convert(y, context.Output(0));
    }

    /// <summary>The taps of one dimension at a position: positions, -1 where there is nothing to read, and their weights.</summary>
    private int Taps(double at, int length, Span<int> positions, Span<double> weights)
    {
        at = AlignsCorners ? (at + 1) / 2 * (length - 1) : ((at + 1) * length - 1) / 2;
        if (Mode == Interpolation.Nearest) at = Math.Round(at, MidpointRounding.ToEven);
        if (!double.IsFinite(at)) at = -1e9;
        (double low, double high) = AlignsCorners ? (0, length - 1.0) : (-0.5, length - 0.5);
        // Cubic interpolation clamps its taps alone: beyond the border they still change with the position.
        if (Padding == "border" && Mode != Interpolation.Cubic) at = Math.Clamp(at, 0, length - 1);
        else if (Padding == "reflection") at = Reflect(at, low, high);
        at = Math.Clamp(at, -1e9, 1e9);
        int floor = (int)Math.Floor(at), reach = Mode == Interpolation.Nearest ? 0 : Mode == Interpolation.Linear ? 1 : 2, count = Math.Max(1, 2 * reach);
        for (int tap = 0; tap < count; tap++)
        {
            int position = reach == 0 ? (int)at : floor + 1 - reach + tap;
            weights[tap] = reach == 0 ? 1 : Weight(Math.Abs(position - at));
            positions[tap] = position >= 0 && position < length ? position
                : Padding == "zeros" ? -1 : Padding == "border" ? Math.Clamp(position, 0, length - 1) : (int)Math.Clamp(Reflect(position, low, high), 0, length - 1);
        }
        return count;
    }

    private double Weight(double distance)
    {
        if (Mode == Interpolation.Linear) return Math.Max(0, 1 - distance);
        if (distance <= 1) return ((CubicA + 2) * distance - (CubicA + 3)) * distance * distance + 1;
        return distance < 2 ? ((CubicA * distance - 5 * CubicA) * distance + 8 * CubicA) * distance - 4 * CubicA : 0;
    }

    private static double Reflect(double at, double low, double high)
    {
        double range = high - low;
        if (range <= 0) return low;
        double past = at < low ? low - at : at > high ? at - high : -1;
        if (past < 0) return at;
        double turns = Math.Floor(past / range), rest = past - turns * range;
        return turns % 2 == 0 == at < low ? low + rest : high - rest;
    }

    private sealed class Kernel<T>(GridSample op, Shape x, Shape grid) : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        private const int MaxTaps = 4;

        public void Run(EvaluationContext context)
        {
            int rank = x.Rank - 2, channels = (int)x[1], points = (int)grid.CountOf(1, grid.Rank - 1), plane = (int)x.CountOf(2, x.Rank);
            Span<T> from = context.Input(0).Span<T>(), to = context.Output(0).Span<T>(), at = context.Input(1).Span<T>();
            var (positions, weights, counts) = (new int[rank * MaxTaps], new double[rank * MaxTaps], new int[rank]);
            for (int n = 0; n < x[0]; n++)
            {
                for (int point = 0; point < points; point++)
                {
                    for (int d = 0; d < rank; d++)
                    {
                        double coordinate = double.CreateChecked(at[(n * points + point) * rank + rank - 1 - d]);
                        counts[d] = op.Taps(coordinate, (int)x[d + 2], positions.AsSpan(d * MaxTaps, MaxTaps), weights.AsSpan(d * MaxTaps, MaxTaps));
                    }
                    for (int c = 0; c < channels; c++)
                        to[(n * channels + c) * points + point] = T.CreateChecked(Sum(from.Slice((n * channels + c) * plane, plane), 0, 0, positions, weights, counts));
                }
            }
        }

        /// <summary>Weighted sum over the taps of dimension <paramref name="d"/> and those behind it.</summary>
        private double Sum(ReadOnlySpan<T> image, int d, int row, int[] positions, double[] weights, int[] counts)
        {
            if (d == counts.Length) return double.CreateChecked(image[row]);
            double sum = 0;
            for (int tap = d * MaxTaps; tap < d * MaxTaps + counts[d]; tap++)
            {
                if (positions[tap] >= 0 && weights[tap] != 0) sum += weights[tap] * Sum(image, d + 1, row * (int)x[d + 2] + positions[tap], positions, weights, counts);
            }
            return sum;
        }
    }
}
