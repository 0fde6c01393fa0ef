using System.Numerics;
using Fewbit.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Fewbit.Graphs.Operators.Contributed;

/// <summary>com.microsoft SkipLayerNormalization(x, skip, gamma, beta, bias) and SkipSimplifiedLayerNormalization(x, skip, gamma, bias): the last dimension of x + skip + bias normalized; output 3 is that sum.</summary>
/// <param name="Epsilon">Added to the variance.</param>
/// <param name="IsCentred">Whether the mean is taken off.</param>
internal sealed record SkipNormalization(float Epsilon, bool IsCentred) : IDifferentiable
{
    private const int Skip = 1, Scale = 2, Mean = 1, InverseDeviation = 2, Sum = 3;

    private int Shift => IsCentred ? 3 : -1;

    private int Bias => IsCentred ? 4 : 3;

    public static SkipNormalization Parse(Node node, bool isCentred) => new(node.Float("epsilon", 1e-12f), isCentred);

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(3, Bias + 1);
        ElementType type = node.ExpectOneFloatType(context);
        SymbolicShape? x = context.InputShape(0);
        if (x is not null)
        {
            node.Expect(x.Rank >= 2, $"input has shape {x}, expected [..., C]");
            node.Expect(context.InputShape(Skip) is not { } skip || (skip.Rank <= x.Rank && SymbolicShape.Broadcast(x, skip) is { } joint && joint.Zip(x).All(pair => pair.First.MayEqual(pair.Second))), $"skip is {node.Input(Skip)}, which does not broadcast to {x}");
            foreach ((int input, string name) in ((int, string)[])[(Scale, "gamma"), (Shift, "beta"), (Bias, "bias")])
            {
                if (input >= 0) node.ExpectVector(context, input, x[x.Rank - 1], name);
            }
        }
        SymbolicShape? rows = x?.With(x.Rank - 1, 1);
        context.SetOutput(0, type, x);
        context.SetOutput(Mean, ElementType.Float32, rows);
        context.SetOutput(InverseDeviation, ElementType.Float32, rows);
        context.SetOutput(Sum, type, x);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.ThroughFloat32(context, this)) ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, this));
    }

    public void Gradient(GradientContext context) => CompositeGradient.Apply(context, inputs =>
    {
        Value sum = inputs[0]! + inputs[Skip]!;
        if (context.Node.Input(Bias) is not null) sum += inputs[Bias]!;
        var attributes = new Attributes { { "axis", -1 }, { "epsilon", Epsilon } };
        Value? shift = IsCentred && inputs.Length > Shift ? inputs[Shift] : null;
        Value?[] parts = shift is null ? [sum, inputs[Scale]] : [sum, inputs[Scale], shift];
        if (!IsCentred) return [sum.Apply("RMSNormalization", attributes, inputs[Scale]), null, null, sum];
        IReadOnlyList<Value> outputs = context.Graph.AddNode("LayerNormalization", parts, attributes, outputs: 3).Outputs;
        // The statistics are float32 whatever the input is.
        return [outputs[0], .. outputs.Skip(1).Select(output => output.Apply("Cast", new Attributes { { "to", (long)ElementType.Float32 } })), sum];
    });

    private readonly struct Action(EvaluationContext context, SkipNormalization settings) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Span<T> x = context.Input(0).Span<T>(), skip = context.Input(Skip).Span<T>(), y = context.Output(0).Span<T>(), scale = context.Input(Scale).Span<T>();
            Span<T> shift = Find<T>(settings.Shift), bias = Find<T>(settings.Bias), sums = context.HasOutput(Sum) ? context.Output(Sum).Span<T>() : default;
            int length = scale.Length;
            // Rows are added in turn, so what is added may leave out dimensions in front, but none between.
            ReadOnlySpan<long> rows = context.Input(Skip).Shape.Dims.TrimStart(1L);
            context.Node.Expect(rows.Length > 0 && rows[^1] == length && context.Input(0).Shape.Dims.EndsWith(rows), $"skip has shape {context.Input(Skip).Shape}, expected {context.Input(0).Shape} or its last dimensions");
            for (int start = 0, row = 0; start < y.Length; start += length, row++)
            {
                Span<T> sum = y.Slice(start, length);
                TensorPrimitives.Add(x.Slice(start, length), skip.Slice(start % skip.Length, length), sum);
                if (!bias.IsEmpty) TensorPrimitives.Add(sum, bias, sum);
                if (!sums.IsEmpty) sum.CopyTo(sums[start..]);
                Normalize(sum, scale, shift, row);
            }
        }

        private void Normalize<T>(Span<T> row, ReadOnlySpan<T> scale, ReadOnlySpan<T> shift, int index) where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            T count = T.CreateChecked(row.Length), mean = settings.IsCentred ? TensorPrimitives.Sum<T>(row) / count : T.Zero;
            if (settings.IsCentred) TensorPrimitives.Subtract(row, mean, row);
            T inverse = T.One / T.Sqrt(TensorPrimitives.SumOfSquares<T>(row) / count + T.CreateChecked(settings.Epsilon));
            TensorPrimitives.Multiply(row, inverse, row);
            TensorPrimitives.Multiply(row, scale, row);
            if (!shift.IsEmpty) TensorPrimitives.Add(row, shift, row);
            if (context.HasOutput(Mean)) context.Output(Mean).Span<float>()[index] = float.CreateChecked(mean);
            if (context.HasOutput(InverseDeviation)) context.Output(InverseDeviation).Span<float>()[index] = float.CreateChecked(inverse);
        }

        private Span<T> Find<T>(int input) where T : unmanaged => input >= 0 && context.FindInput(input) is { } tensor ? tensor.Span<T>() : default;
    }
}
