using System.Numerics;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX LRN: y = x / (Bias + Alpha / Size * sum of x^2 over Size neighbouring channels)^Beta, for [N, C, ...].</summary>
internal sealed record LocalResponseNormalization(float Alpha, float Beta, float Bias, long Size) : ICompiledOperator, IDifferentiable
{
    public static LocalResponseNormalization Parse(Node node)
    {
        long size = node.Int("size");
        node.Expect(size >= 1, $"size is {size}, expected 1 or more");
        return new(node.Float("alpha", 1e-4f), node.Float("beta", 0.75f), node.Float("bias", 1), size);
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        SymbolicShape? x = context.InputShape(0);
        context.Node.Expect(x is null || x.Rank >= 2, $"input has shape {x}, expected [N, C, ...]");
        context.SetOutput(0, context.Node.ExpectOneFloatType(context), x);
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context) => context.InputType(0) switch
    {
        ElementType.Float32 => new Kernel<float>(this, context.InputShape(0)),
        ElementType.Float64 => new Kernel<double>(this, context.InputShape(0)),
        var other => context.Node.NoKernel(other),
    };

    public void Gradient(GradientContext context)
    {
        Node node = context.Node;
        int before = (int)(Size - 1) / 2, after = (int)(Size - 1) - before, rank = node.KnownRank(context.Input(0));
        CompositeGradient.Apply(context, inputs =>
        {
            // Sums over channels as a convolution of [N, 1, C, plane].
            Value x = inputs[0]!, square = x * x, planes = (rank == 2 ? square.Apply("Unsqueeze", x.Integers("axes", 2)) : square.To(0, 0, -1)).Apply("Unsqueeze", x.Integers("axes", 1));
            Value ones = x.Numbers("ones", [1, 1, Size, 1], [.. Enumerable.Repeat(1f, checked((int)Size))]);
            Value sums = planes.Apply("Conv", new Attributes { { "pads", new long[] { before, 0, after, 0 } } }, ones).ToShapeOf(x);
            return [x * (sums * x.Scalar((double)Alpha / Size) + Bias).Apply("Pow", x.Scalar(-Beta))];
        });
    }

    private sealed class Kernel<T>(LocalResponseNormalization attributes, Shape x) : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        private readonly int _channels = (int)x[1], _plane = (int)x.CountOf(2, x.Rank);

        public void Run(EvaluationContext context)
        {
            Span<T> from = context.Input(0).Span<T>(), to = context.Output(0).Span<T>();
            int before = (int)(attributes.Size - 1) / 2, after = (int)(attributes.Size - 1) - before;
            T scale = T.CreateChecked(attributes.Alpha) / T.CreateChecked(attributes.Size), bias = T.CreateChecked(attributes.Bias), power = T.CreateChecked(-attributes.Beta);
            for (int at = 0; at < to.Length; at++)
            {
                int channel = at / _plane % _channels, image = at - channel * _plane;
                T sum = T.Zero;
                for (int c = Math.Max(0, channel - before); c <= Math.Min(_channels - 1, channel + after); c++) sum += from[image + c * _plane] * from[image + c * _plane];
                to[at] = from[at] * T.Pow(bias + scale * sum, power);
            }
        }
    }
}
