using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX MeanVarianceNormalization: (x - mean) / (sqrt(variance) + 1e-9) over some axes; and LpNormalization: x / (sum |x|^p)^(1/p) along one.</summary>
/// <param name="Axes">Dimensions that share their statistics.</param>
/// <param name="Power">p of LpNormalization; 0: mean and variance.</param>
internal sealed record AxisNormalization(long[] Axes, long Power) : ICompiledOperator, IDifferentiable
{
    private const double Floor = 1e-9;

    public static AxisNormalization ParseMeanVariance(Node node) => new(node.Ints("axes") ?? [0, 2, 3], 0);

    public static AxisNormalization ParseLp(Node node)
    {
        long power = node.Int("p", 2);
        node.Expect(power is 1 or 2, $"p is {power}, expected 1 or 2");
        return new([node.Int("axis", -1)], power);
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        if (context.InputShape(0) is { } shape)
        {
            foreach (long axis in Axes) context.Node.Axis(axis, shape.Rank);
        }
        context.SetOutput(0, context.Node.ExpectOneFloatType(context), context.InputShape(0));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        int[] groups = GroupOfElement(context.Node, context.InputShape(0), out int count);
        return context.InputType(0) switch
        {
            ElementType.Float32 => new Kernel<float>(Power, groups, count),
            ElementType.Float64 => new Kernel<double>(Power, groups, count),
            var other => context.Node.NoKernel(other),
        };
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        Value x = context.Input(0), y = context.Output(), like = Reduced(x);
        if (Power == 0)
        {
            Value centred = x - x.MeanToShapeOf(like), deviation = (centred * centred).MeanToShapeOf(like).Apply("Sqrt"), unit = centred / deviation;
            Value inner = (gradient - gradient.MeanToShapeOf(like)) / (deviation + (float)Floor) - unit * (gradient * centred).MeanToShapeOf(like) / ((deviation + (float)Floor) * (deviation + (float)Floor));
            context.SetInputGradient(0, inner);
            return;
        }
        Value norm = Power == 1 ? x.Apply("Abs").SumToShapeOf(like) : (x * x).SumToShapeOf(like).Apply("Sqrt");
        Value direction = Power == 1 ? x.Apply("Sign") : y;
        context.SetInputGradient(0, (gradient - direction * (gradient * y).SumToShapeOf(like)) / norm);
    }

    /// <summary>A tensor of the shape that the statistics have.</summary>
    private Value Reduced(Value x)
    {
        long[] axes = Axes;
        Graph graph = x.Graph;
        Value starts = graph.AddConstant("starts", Tensor.From<long>([.. axes.Select(_ => 0L)])), ends = graph.AddConstant("ends", Tensor.From<long>([.. axes.Select(_ => 1L)]));
        return x.Apply("Slice", starts, ends, graph.AddConstant("axes", Tensor.From<long>(axes)));
    }

    /// <summary>For each element the number of the group whose statistics it shares.</summary>
    private int[] GroupOfElement(Node node, Shape x, out int count)
    {
        Shape groups = x;
        foreach (long axis in Axes) groups = groups.With(node.Axis(axis, x.Rank), 1);
        var result = new int[x.ElementCount];
        var walk = new BroadcastWalk(x, groups, groups);
        for (int i = 0; i < result.Length; i++, walk.Next()) result[i] = (int)walk.A;
        count = (int)groups.ElementCount;
        return result;
    }

    private sealed class Kernel<T>(long power, int[] groupOf, int groups) : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public void Run(EvaluationContext context)
        {
            Span<T> x = context.Input(0).Span<T>(), y = context.Output(0).Span<T>();
            T[] means = new T[groups], spreads = new T[groups];
            T perGroup = T.CreateChecked(groups == 0 ? 1 : x.Length / groups);
            if (power == 0)
            {
                for (int i = 0; i < x.Length; i++) means[groupOf[i]] += x[i] / perGroup;
            }
            for (int i = 0; i < x.Length; i++)
            {
                T centred = x[i] - means[groupOf[i]];
                spreads[groupOf[i]] += power == 1 ? T.Abs(centred) : centred * centred;
            }
            for (int g = 0; g < groups; g++)
            {
                if (power == 0) spreads[g] = T.Sqrt(spreads[g] / perGroup) + T.CreateChecked(Floor);
                else if (power == 2) spreads[g] = T.Sqrt(spreads[g]);
            }
            for (int i = 0; i < x.Length; i++) y[i] = spreads[groupOf[i]] == T.Zero ? T.Zero : (x[i] - means[groupOf[i]]) / spreads[groupOf[i]];
        }
    }
}
