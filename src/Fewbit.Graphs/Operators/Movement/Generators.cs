using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>ONNX Range: start, start + delta, ... below the limit (above it where delta is negative).</summary>
internal sealed record Range : IDifferentiable
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 3);
        ElementType type = context.ExpectOneType(0, 1, 2);
        bool areKnown = context.InputTensor(0) is not null && context.InputTensor(1) is not null && context.InputTensor(2) is not null;
        Dim length = areKnown ? Count(context.Node, context.InputTensor(0)!, context.InputTensor(1)!, context.InputTensor(2)!)
            : context.InputDims(0) is [var start] && start == 0 && context.InputDims(2) is [var delta] && delta == 1 && context.InputDims(1) is [var limit] ? limit : Dim.Unknown;
        context.SetOutput(0, type, [length]);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Number(context.Node, context.Input(0).Type, new Action(context));
    }

    /// <summary>Of the start and the step; the limit only says how many numbers there are.</summary>
    public void Gradient(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        (Value start, Value delta) = (context.Input(0), context.Input(2));
        if (context.Needs(0)) context.SetInputGradient(0, gradient.SumToShapeOf(start));
        if (!context.Needs(2)) return;
        Value index = gradient.Filled(1).Apply("CumSum", new Attributes { { "exclusive", 1 } }, context.Graph.AddConstant("axis", Tensor.Scalar(0L)));
        context.SetInputGradient(2, (gradient * index).SumToShapeOf(delta));
    }

    private static long Count(Node node, Tensor start, Tensor limit, Tensor delta)
    {
        double first = Number(start), last = Number(limit), step = Number(delta);
        node.Expect(step != 0 && double.IsFinite(first) && double.IsFinite(last) && double.IsFinite(step), $"counts from {first} to {last} in steps of {step}");
        double count = Math.Max(0, Math.Ceiling((last - first) / step));
        node.Expect(count <= int.MaxValue, $"makes {count} numbers, expected {int.MaxValue} at most");
        return (long)count;
    }

    private static double Number(Tensor tensor) => Casting.Convert(tensor, ElementType.Float64).Item<double>();

    private readonly struct Action(EvaluationContext context) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T>
        {
            T start = context.Input(0).Item<T>(), delta = context.Input(2).Item<T>();
            Span<T> y = context.Output(0).Span<T>();
            for (int i = 0; i < y.Length; i++) y[i] = start + T.CreateTruncating(i) * delta;
        }
    }
}

/// <summary>ONNX OneHot, opset 11: on-values where the depth axis equals the index, off-values elsewhere.</summary>
internal sealed record OneHot(long Axis) : IDifferentiable
{
    public static OneHot Parse(Node node) => new(node.Int("axis", -1));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 3);
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } indices)
        {
            Dim depth = context.InputTensor(1) is { } given ? Depth(context.Node, given) : Dim.Unknown;
            int axis = context.Node.Axis(Axis, indices.Rank + 1);
            shape = [.. indices.Dims[..axis], depth, .. indices.Dims[axis..]];
        }
        context.SetOutput(0, context.InputType(2), shape);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.Unpacked(context, this)) ElementDispatch.Word(context.Node, context.Input(2).Type, new Action(context, Axis));
    }

    /// <summary>Of the two values: the sums over the places that hold each.</summary>
    public void Gradient(GradientContext context)
    {
        if (!context.Needs(2) || context.OutputGradient() is not { } gradient) return;
        Value scalar = gradient.Scalar(0), zeroAndOne = gradient.Integers("hot", 0, 1).Apply("CastLike", gradient);
        Value isOn = context.Input(0).Apply("OneHot", new Attributes { { "axis", Axis } }, context.Input(1), zeroAndOne);
        Value on = (gradient * isOn).SumToShapeOf(scalar), off = (gradient * (1f - isOn)).SumToShapeOf(scalar);
        Value Vector(Value value) => value.Apply("Unsqueeze", gradient.Integers("axes", 0));
        context.SetInputGradient(2, Vector(off).Concat(0, Vector(on)));
    }

    private static long Depth(Node node, Tensor depth)
    {
        node.Expect(depth.ElementCount == 1, $"depth is {depth}, expected one number");
        long number = Casting.Convert(depth, ElementType.Int64).Item<long>();
        node.Expect(number > 0, $"depth is {number}, expected 1 or more");
        return number;
    }

    private readonly unsafe struct Action(EvaluationContext context, long wantedAxis) : IWordAction
    {
        public void Run<T>() where T : unmanaged
        {
            Tensor indices = context.Input(0), values = context.Input(2), output = context.Output(0);
            context.Node.Expect(values.ElementCount == 2, $"values are {values}, expected the off- and the on-value");
            int axis = context.Node.Axis(wantedAxis, output.Rank);
            long depth = output.Shape[axis], inner = output.Shape.CountOf(axis + 1, output.Rank);
            T off = ((T*)values.Address)[0], on = ((T*)values.Address)[1];
            T* y = (T*)output.Address;
            new Span<T>(y, checked((int)output.ElementCount)).Fill(off);
            // Indices may be of any number type; those outside of the depth light nothing.
            Span<long> named = Casting.Convert(indices, ElementType.Int64).Span<long>();
            for (int i = 0; i < named.Length; i++)
            {
                long index = named[i] < 0 ? named[i] + depth : named[i];
                if (index >= 0 && index < depth) y[(i / inner * depth + index) * inner + i % inner] = on;
            }
            GC.KeepAlive(context);
        }
    }
}

/// <summary>ONNX EyeLike: ones on a diagonal, zeros elsewhere.</summary>
internal sealed record EyeLike(ElementType? Type, long Diagonal) : IOperator
{
    public static EyeLike Parse(Node node) => new(node.Attributes.Contains("dtype") ? (ElementType)node.Int("dtype") : null, node.Int("k", 0));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.Node.Expect(context.InputShape(0) is null or { Rank: 2 }, $"takes a matrix, but is given {context.Node.Input(0)}");
        context.SetOutput(0, Type ?? context.InputType(0), context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context)
    {
        Tensor output = context.Output(0), eye = Tensor.Allocate(ElementType.Float32, output.Shape);
        long columns = output.Shape[1];
        for (long row = 0; row < output.Shape[0]; row++)
        {
            if (row + Diagonal >= 0 && row + Diagonal < columns) eye.Span<float>()[(int)(row * columns + row + Diagonal)] = 1;
        }
        Casting.Convert(eye, output);
    }
}

/// <summary>ONNX Trilu, opset 14: the upper or lower triangle of each matrix, zeros elsewhere.</summary>
internal sealed record Trilu(bool IsUpper) : IDifferentiable
{
    public static Trilu Parse(Node node) => new(node.Int("upper", 1) != 0);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 2);
        context.Node.Expect(context.InputShape(0) is null or { Rank: >= 2 }, $"takes matrices, but is given {context.Node.Input(0)}");
        context.InferLikeInput();
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        if (Converted.Unpacked(context, this)) return;
        (Tensor input, Tensor output) = (context.Input(0), context.Output(0));
        if (!input.IsAt(output)) input.CopyTo(output);
        long diagonal = context.FindInput(1) is { } k ? context.Node.ReadInt(k) : 0;
        long rows = input.Shape[input.Rank - 2], columns = input.Shape[input.Rank - 1];
        int width = input.Type.BitWidth() / 8;
        for (long row = 0; rows * columns > 0 && row < input.ElementCount / columns; row++)
        {
            // Column of the diagonal in this row, as far as it lies in the matrix; the upper triangle starts there, the lower ends there.
            long edge = diagonal > columns ? columns : diagonal < -rows ? 0 : Math.Clamp(row % rows + diagonal + (IsUpper ? 0 : 1), 0, columns);
            (long from, long count) = IsUpper ? (0, edge) : (edge, columns - edge);
            new Span<byte>(output.Address + (row * columns + from) * width, (int)(count * width)).Clear();
        }
        GC.KeepAlive(context);
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        context.SetInputGradient(0, gradient.Apply("Trilu", new Attributes { { "upper", IsUpper } }, context.Node.Input(1)));
    }
}
