using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Signal;

/// <summary>ONNX DFT, opset 17 and 20: the transform of [..., 1] (real) or [..., 2] (complex) along an axis, cut or filled with zeros to dft_length.</summary>
/// <param name="AxisAttribute">The axis of opset 17; null where it is input 2.</param>
/// <param name="IsInverse">Whether it goes back.</param>
/// <param name="IsOnesided">Whether only the first length / 2 + 1 of a symmetric spectrum are given (forward) or taken (inverse, to real numbers).</param>
internal sealed record DiscreteFourier(long? AxisAttribute, bool IsInverse, bool IsOnesided) : IDifferentiable
{
    private const int LengthInput = 1, AxisInput = 2, MaxLength = 1 << 24;

    public static DiscreteFourier Parse(Node node) =>
        new(node.OpsetVersion < 20 ? node.Int("axis", 1) : null, node.Int("inverse", 0) != 0, node.Int("onesided", 0) != 0);

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(1, AxisAttribute is null ? 3 : 2);
        ElementType type = context.InputType(0);
        context.ExpectType(0, ElementTypes.IsFloat, "a float type");
        if (context.InputShape(0) is not { } x)
        {
            context.SetOutput(0, type, null);
            return;
        }
        node.Expect(x.Rank >= 2 && (!x[x.Rank - 1].IsKnown || x[x.Rank - 1].Length is 1 or 2), $"input has shape {x}, expected [..., 1] or [..., 2]");
        bool isReal = IsInverse && IsOnesided;
        if (AxisAttribute is null && context.HasInput(AxisInput) && context.InputInts(AxisInput) is null)
        {
            context.SetOutput(0, type, SymbolicShape.OfRank(x.Rank).With(x.Rank - 1, isReal ? 1 : 2));
            return;
        }
        int axis = Axis(node, x.Rank, context.InputInts(AxisInput));
        Dim length = context.InputInts(LengthInput) is { } given ? Length(node, given) : context.HasInput(LengthInput) ? Dim.Unknown
            : isReal ? x[axis].Map(half => Math.Max(0, 2 * (half - 1))) : x[axis];
        context.SetOutput(0, type, x.With(axis, IsOnesided && !IsInverse ? length.Map(n => n / 2 + 1) : length).With(x.Rank - 1, isReal ? 1 : 2));
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, this));
    }

    private static Dim Length(Node node, long[] given)
    {
        node.Expect(given.Length == 1 && given[0] is >= 1 and <= MaxLength, $"dft_length is [{string.Join(", ", given)}], expected one number of 1 to {MaxLength}");
        return given[0];
    }

    private int Axis(Node node, int rank, long[]? input)
    {
        node.Expect(input is null or [_], $"axis has {input?.Length} numbers, expected one");
        int axis = node.Axis(AxisAttribute ?? input?[0] ?? -2, rank);
        node.Expect(axis < rank - 1, $"transforms axis {axis}, which holds real and imaginary parts");
        return axis;
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        Node node = context.Node;
        Value x = context.Input(0);
        int rank = node.KnownRank(x), axis = Axis(node, rank, AxisAttribute is null && node.Input(AxisInput) is not null ? node.KnownInts(AxisInput) : null);
        int given = node.KnownLength(x, axis), kept = node.KnownLength(context.Output(), axis);
        int length = node.Input(LengthInput) is not null ? (int)node.KnownInts(LengthInput)[0] : IsOnesided && IsInverse ? kept : given;
        new FourierGradient(AxisAttribute, axis, rank, length).Apply(context, this, gradient, given);
    }

    private readonly struct Action(EvaluationContext context, DiscreteFourier settings) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Tensor input = context.Input(0), output = context.Output(0);
            int axis = settings.Axis(context.Node, input.Rank, context.FindInput(AxisInput) is { } named ? context.Node.ReadInts(named) : null);
            int given = (int)input.Shape[axis], kept = (int)output.Shape[axis], inner = (int)input.Shape.CountOf(axis + 1, input.Rank - 1);
            int length = context.FindInput(LengthInput) is { } stated ? (int)context.Node.ReadInt(stated) : settings.IsOnesided && settings.IsInverse ? kept : given;
            (int parts, int resultParts) = ((int)input.Shape[input.Rank - 1], (int)output.Shape[output.Rank - 1]);
            Span<T> x = input.Span<T>(), y = output.Span<T>();
            // The published outputs of the complex inverse hold the rounding of float32 sums: where they should be 0 they are 2e-7.
            var transform = FourierTransform.Of(length, isSingle: typeof(T) == typeof(float) && settings.IsInverse && !settings.IsOnesided);
            var values = new Complex[length];
            for (long i = 0; i < input.Shape.CountOf(0, axis) * inner; i++)
            {
                (int outer, int column) = ((int)(i / inner), (int)(i % inner));
                Array.Clear(values);
                for (int n = 0; n < Math.Min(given, length); n++)
                {
                    int at = ((outer * given + n) * inner + column) * parts;
                    values[n] = new(double.CreateChecked(x[at]), parts == 2 ? double.CreateChecked(x[at + 1]) : 0);
                }
                if (settings.IsInverse && settings.IsOnesided) Mirror(values);
                transform.Run(values, settings.IsInverse);
                for (int k = 0; k < kept; k++)
                {
                    int at = ((outer * kept + k) * inner + column) * resultParts;
                    y[at] = T.CreateChecked(values[k].Real);
                    if (resultParts == 2) y[at + 1] = T.CreateChecked(values[k].Imaginary);
                }
            }
        }

        /// <summary>The spectrum of real numbers: what lies behind the middle is the conjugate of what lies before it.</summary>
        private static void Mirror(Complex[] values)
        {
            for (int k = values.Length / 2 + 1; k < values.Length; k++) values[k] = Complex.Conjugate(values[values.Length - k]);
        }
    }
}
