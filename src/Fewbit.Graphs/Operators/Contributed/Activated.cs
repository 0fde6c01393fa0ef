using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Contributed;

/// <summary>com.microsoft FusedConv and FusedGemm: an operator whose result goes through an activation.</summary>
/// <param name="Inner">Conv or Gemm.</param>
/// <param name="Function">The activation.</param>
internal sealed record Activated(ICompiledOperator Inner, RecurrentActivation Function) : ICompiledOperator, IDifferentiable
{
    private static readonly string[] GemmConstants = ["activation_alpha", "activation_beta"];

    /// <summary>FusedConv(x, w, bias, residual). The activations that a convolution's kernels apply themselves are left to them.</summary>
    public static IOperator ParseConv(Node node)
    {
        Conv conv = Conv.Parse(node);
        float[] constants = node.Floats("activation_params") ?? [];
        float Constant(int index, float fallback) => index < constants.Length ? constants[index] : fallback;
        return node.String("activation", "") switch
        {
            "" => conv,
            "Relu" => conv with { Activation = Activation.Relu },
            "LeakyRelu" => conv with { Activation = Activation.LeakyRelu(Constant(0, 0.01f)) },
            "Clip" => conv with { Activation = Activation.Clip(Constant(0, float.MinValue), Constant(1, float.MaxValue)) },
            var name => new Activated(conv, RecurrentActivation.Create(node, name, constants)),
        };
    }

    /// <summary>FusedGemm(a, b, c).</summary>
    public static IOperator ParseGemm(Node node)
    {
        string name = node.String("activation", "");
        float[] constants = [.. GemmConstants.Where(node.Attributes.Contains).Select(constant => node.Float(constant))];
        return name.Length == 0 ? MatrixProductSum.Parse(node) : new Activated(MatrixProductSum.Parse(node), RecurrentActivation.Create(node, name, constants));
    }

    public void Infer(InferenceContext context) => Inner.Infer(context);

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context) => Inner.Compile(context) is { } kernel ? new Kernel(kernel, Function) : null;

    public void Gradient(GradientContext context) => CompositeGradient.Apply(context, inputs =>
    {
        if (Inner is MatrixProductSum) return [Function.SpellOut(context.Graph.AddNode("Gemm", inputs, GemmAttributes(context.Node)).Outputs[0], float.PositiveInfinity)];
        Value sum = inputs[0]!.Apply("Conv", ConvGradients.Geometry(context.Node), inputs[1], inputs.ElementAtOrDefault(2));
        return [Function.SpellOut(inputs.ElementAtOrDefault(3) is { } residual ? sum + residual : sum, float.PositiveInfinity)];
    });

    private static Attributes GemmAttributes(Node node)
    {
        var attributes = new Attributes();
        foreach ((string name, object value) in node.Attributes)
        {
            if (!name.StartsWith("activation", StringComparison.Ordinal)) attributes.Add(name, value);
        }
        return attributes;
    }

    private sealed class Kernel(IKernel inner, RecurrentActivation function) : IKernel
    {
        public void Run(EvaluationContext context)
        {
            inner.Run(context);
            Tensor y = context.Output(0);
            if (y.Type == ElementType.Float64) function.Apply(y.Span<double>(), double.PositiveInfinity);
            else if (y.Type == ElementType.Float32) function.Apply(y.Span<float>(), float.PositiveInfinity);
            else throw context.Node.Fail($"does not take {y.Type.Name()} elements");
        }
    }
}
