using System.Numerics;
using Fewbit.Graphs.Operators.Movement;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>What a reduction computes.</summary>
internal enum Reduction
{
    Sum,
    Mean,
    Max,
    Min,
    Prod,
    SumSquare,
    L1,
    L2,
    LogSum,
    LogSumExp,
}

/// <summary>ONNX ReduceSum and its like, opset 13 (axes an attribute) to 18 (axes an input).</summary>
/// <param name="Kind">What is computed.</param>
/// <param name="KeepsDims">Whether reduced dimensions stay with length 1.</param>
/// <param name="IsNoOpWithoutAxes">True: without axes nothing is reduced. False: everything.</param>
/// <param name="Axes">The axes where they are an attribute.</param>
internal sealed record Reduce(Reduction Kind, bool KeepsDims, bool IsNoOpWithoutAxes, long[]? Axes) : IDifferentiable
{
    public static Func<Node, IOperator> Parser(Reduction kind) =>
        node => new Reduce(kind, node.Int("keepdims", 1) != 0, node.Int("noop_with_empty_axes", 0) != 0, node.Ints("axes"));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 2);
        if (context.HasInput(1)) context.ExpectType(1, type => type is ElementType.Int64 or ElementType.Int32, "int64 axes");
        SymbolicShape? shape = null;
        if (context.InputShape(0) is { } input)
        {
            bool areKnown = !context.HasInput(1) || context.InputTensor(1) is not null;
            if (areKnown) shape = Reduced(input, Mask(context.Node, input.Rank, context.InputTensor(1)));
            else if (KeepsDims) shape = SymbolicShape.OfRank(input.Rank);
        }
        context.SetOutput(0, context.InputType(0), shape);
        if (Kind == Reduction.Prod && shape is { Rank: <= 1 } && context.InputShape(0) is { Rank: 1 } && context.InputDims(0) is { } lengths && (shape.Rank == 0 || shape[0] == 1))
        {
            context.SetOutputDims(0, [lengths.Aggregate((Dim)1, (a, b) => a * b)]);
        }
    }

    public void Evaluate(EvaluationContext context)
    {
        if (Converted.ThroughFloat32(context, this)) return;
        ulong axes = Mask(context.Node, context.Input(0).Rank, context.FindInput(1));
        switch (context.Input(0).Type)
        {
            case ElementType.Float32: RunFloat(context, axes); break;
            case ElementType.Float64: RunDouble(context, axes); break;
            case ElementType.Bool: RunBool(context, axes); break;
            default: ElementDispatch.Integer(context.Node, context.Input(0).Type, new IntegerAction(context, Kind, axes)); break;
        }
    }

    public void Gradient(GradientContext context) => ReduceGradients.Apply(this, context);

    /// <summary>One bit for each dimension that is reduced.</summary>
    private ulong Mask(Node node, int rank, Tensor? given)
    {
        node.Expect(rank < 64, $"reduces a tensor of {rank} dimensions");
        ulong mask = 0;
        if (given is not null)
        {
            foreach (long axis in Indices.Read(given)) mask |= 1UL << node.Axis(axis, rank, "an axis");
        }
        else
        {
            foreach (long axis in Axes ?? []) mask |= 1UL << node.Axis(axis, rank, "an axis");
        }
        return mask != 0 || IsNoOpWithoutAxes ? mask : (1UL << rank) - 1;
    }

    private SymbolicShape Reduced(SymbolicShape input, ulong mask)
    {
        var dims = new List<Dim>();
        for (int axis = 0; axis < input.Rank; axis++)
        {
            bool isReduced = (mask >> axis & 1) != 0;
            if (!isReduced) dims.Add(input[axis]);
            else if (KeepsDims) dims.Add(1);
        }
        return new([.. dims]);
    }

    private void RunFloat(EvaluationContext context, ulong axes)
    {
        (Tensor x, Tensor y) = (context.Input(0), context.Output(0));
        switch (Kind)
        {
            case Reduction.Sum: Reducing.Run<float, double, FloatSum<SumFormula>>(context, x, y, axes); break;
            case Reduction.Mean: Reducing.Run<float, double, FloatSum<MeanFormula>>(context, x, y, axes); break;
            case Reduction.Max: Reducing.Run<float, float, Largest<float>>(context, x, y, axes); break;
            case Reduction.Min: Reducing.Run<float, float, Smallest<float>>(context, x, y, axes); break;
            case Reduction.Prod: Reducing.Run<float, double, Product<float, double>>(context, x, y, axes); break;
            case Reduction.SumSquare: Reducing.Run<float, double, FloatSum<SumSquareFormula>>(context, x, y, axes); break;
            case Reduction.L1: Reducing.Run<float, double, FloatSum<L1Formula>>(context, x, y, axes); break;
            case Reduction.L2: Reducing.Run<float, double, FloatSum<L2Formula>>(context, x, y, axes); break;
            case Reduction.LogSum: Reducing.Run<float, double, FloatSum<LogSumFormula>>(context, x, y, axes); break;
            default: Reducing.Run<float, (double, double), LogSumExp<float>>(context, x, y, axes); break;
        }
    }

    private void RunDouble(EvaluationContext context, ulong axes)
    {
        (Tensor x, Tensor y) = (context.Input(0), context.Output(0));
        switch (Kind)
        {
            case Reduction.Sum: Reducing.Run<double, double, DoubleSum<SumFormula>>(context, x, y, axes); break;
            case Reduction.Mean: Reducing.Run<double, double, DoubleSum<MeanFormula>>(context, x, y, axes); break;
            case Reduction.Max: Reducing.Run<double, double, Largest<double>>(context, x, y, axes); break;
            case Reduction.Min: Reducing.Run<double, double, Smallest<double>>(context, x, y, axes); break;
            case Reduction.Prod: Reducing.Run<double, double, Product<double, double>>(context, x, y, axes); break;
            case Reduction.SumSquare: Reducing.Run<double, double, DoubleSum<SumSquareFormula>>(context, x, y, axes); break;
            case Reduction.L1: Reducing.Run<double, double, DoubleSum<L1Formula>>(context, x, y, axes); break;
            case Reduction.L2: Reducing.Run<double, double, DoubleSum<L2Formula>>(context, x, y, axes); break;
            case Reduction.LogSum: Reducing.Run<double, double, DoubleSum<LogSumFormula>>(context, x, y, axes); break;
            default: Reducing.Run<double, (double, double), LogSumExp<double>>(context, x, y, axes); break;
        }
    }

    private void RunBool(EvaluationContext context, ulong axes)
    {
        context.Node.Expect(Kind is Reduction.Max or Reduction.Min, $"does not take bool elements");
        (Tensor x, Tensor y) = (context.Input(0), context.Output(0));
        if (Kind == Reduction.Max) Reducing.Run<byte, byte, Largest<byte>>(context, x, y, axes);
        else Reducing.Run<byte, byte, Smallest<byte>>(context, x, y, axes);
        // The smallest of none is 255, which a bool holds as true: 1.
        foreach (ref byte element in y.Bytes) element &= 1;
    }

    private readonly struct IntegerAction(EvaluationContext context, Reduction kind, ulong axes) : IIntegerAction
    {
        public void Run<T>() where T : unmanaged, IBinaryInteger<T>
        {
            (Tensor x, Tensor y) = (context.Input(0), context.Output(0));
            switch (kind)
            {
                case Reduction.Sum: Reducing.Run<T, long, IntegerSum<T, SumFormula>>(context, x, y, axes); break;
                case Reduction.Mean: Reducing.Run<T, long, IntegerSum<T, MeanFormula>>(context, x, y, axes); break;
                case Reduction.Max: Reducing.Run<T, T, Largest<T>>(context, x, y, axes); break;
                case Reduction.Min: Reducing.Run<T, T, Smallest<T>>(context, x, y, axes); break;
                case Reduction.Prod: Reducing.Run<T, long, Product<T, long>>(context, x, y, axes); break;
                case Reduction.SumSquare: Reducing.Run<T, long, IntegerSum<T, SumSquareFormula>>(context, x, y, axes); break;
                case Reduction.L1: Reducing.Run<T, long, IntegerSum<T, L1Formula>>(context, x, y, axes); break;
                case Reduction.L2: Reducing.Run<T, long, IntegerSum<T, L2Formula>>(context, x, y, axes); break;
                case Reduction.LogSum: Reducing.Run<T, long, IntegerSum<T, LogSumFormula>>(context, x, y, axes); break;
                default: Reducing.Run<T, (double, double), LogSumExp<T>>(context, x, y, axes); break;
            }
        }
    }
}
