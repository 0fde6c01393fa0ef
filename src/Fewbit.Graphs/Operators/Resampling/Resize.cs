using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX Resize, opset 19 (and 10, 11, 13, 18), and Upsample: interpolates along each dimension in turn.</summary>
/// <param name="Attributes">How.</param>
/// <param name="ScalesInput">Input that holds the scales.</param>
/// <param name="FixedScales">Scales as an attribute (Upsample, opset 7); null where they are an input.</param>
internal sealed record Resize(ResizeAttributes Attributes, int ScalesInput, float[]? FixedScales) : ICompiledOperator, IDifferentiable
{
    private const int Roi = 1, Sizes = 3;

    public static Resize Parse(Node node) => new(ResizeAttributes.Parse(node), node.OpsetVersion < 11 ? 1 : 2, null);

    public static Resize ParseUpsample(Node node) => new(ResizeAttributes.ParseUpsample(node), 1, node.Floats("scales"));

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(1, 4);
        if (context.InputShape(0) is not { } x)
        {
            context.SetOutput(0, context.InputType(0), null);
            return;
        }
        float[]? scales = FixedScales ?? FloatsOf(context.InputTensor(ScalesInput));
        Dim[]? sizes = ScalesInput == 2 && context.HasInput(Sizes) ? context.InputDims(Sizes) ?? [] : null;
        context.SetOutput(0, context.InputType(0), sizes is { Length: > 0 } ? FromSizes(node, x, sizes) : scales is { Length: > 0 } ? FromScales(node, x, scales) : SymbolicShape.OfRank(x.Rank));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        if (Converted.IsHalf(context.InputType(0))) return null;
        Shape x = context.InputShape(0), y = context.OutputShape(0);
        context.Node.Expect(x.Rank > 0 && (x.ElementCount > 0 || y.ElementCount == 0), $"input has shape {x}, which cannot be resized to {y}");
        bool isConstant = true;
        for (int i = 1; i < context.Node.Inputs.Count; i++) isConstant &= !context.HasInput(i) || context.Constant(i) is not null;
        ResizeAxis[]? maps = isConstant ? Maps(context.Node, x, y, context.Constant) : null;
        return new ResizeKernel(x, y, Attributes, context.InputType(0), maps, run => Maps(run.Node, x, y, run.FindInput));
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        var attributes = new Attributes();
        foreach ((string name, object value) in context.Node.Attributes) attributes.Add(name, value);
        Value?[] rest = [.. Enumerable.Range(1, 3).Select(context.Node.Input)];
        if (ScalesInput == 1)
        {
            rest = [null, context.Node.Input(1) ?? context.Graph.AddConstant("scales", Tensor.From<float>(FixedScales)), null];
            attributes.Remove("scales");
            attributes.Set("coordinate_transformation_mode", "asymmetric");
            attributes.Set("nearest_mode", "floor");
        }
        context.SetInputGradient(0, gradient.Apply(OperatorTable.FewbitDomain, "ResizeAdjoint", attributes, [context.Input(0).Apply("Shape"), .. rest]));
    }

    /// <summary>The maps of all dimensions, from the tensors that state scales, sizes and the region of interest.</summary>
    internal ResizeAxis[] Maps(Node node, Shape x, Shape y, Func<int, Tensor?> input)
    {
        var scales = new float[x.Rank];
        for (int axis = 0; axis < x.Rank; axis++) scales[axis] = x[axis] == 0 ? 1 : (float)y[axis] / x[axis];
        if ((FixedScales ?? FloatsOf(input(ScalesInput))) is { Length: > 0 } stated)
        {
            for (int i = 0; i < stated.Length; i++) scales[Attributes.Axis(node, i, x.Rank)] = stated[i];
        }
        else if (Attributes.KeepAspect != "stretch" && input(Sizes) is { } sizes)
        {
            float common = CommonScale(node, SymbolicShape.From(x), Inference.DimsOf(sizes) ?? throw node.Fail($"sizes are {sizes}, expected a vector of int64"))!.Value;
            for (int i = 0; i < sizes.ElementCount; i++) scales[Attributes.Axis(node, i, x.Rank)] = common;
        }
        float[]? region = Attributes.Coordinates == "tf_crop_and_resize" && ScalesInput == 2 ? FloatsOf(input(Roi)) : null;
        var maps = new ResizeAxis[x.Rank];
        for (int axis = 0; axis < x.Rank; axis++)
        {
            (float start, float end) = RegionOf(node, region, axis, x.Rank);
            maps[axis] = Attributes.Map(checked((int)x[axis]), checked((int)y[axis]), scales[axis], start, end);
        }
        return maps;
    }

    private (float Start, float End) RegionOf(Node node, float[]? region, int axis, int rank)
    {
        if (region is not { Length: > 0 }) return (0, 1);
        int count = region.Length / 2, index = Enumerable.Range(0, count).FirstOrDefault(i => Attributes.Axis(node, i, rank) == axis, -1);
        return index < 0 ? (0, 1) : (region[index], region[index + count]);
    }

    private SymbolicShape FromSizes(Node node, SymbolicShape x, Dim[] sizes)
    {
        CheckCount(node, "sizes", sizes.Length, x.Rank);
        Dim[] dims = x.Dims.ToArray();
        for (int i = 0; i < sizes.Length; i++)
        {
            int axis = Attributes.Axis(node, i, x.Rank);
            dims[axis] = sizes[i];
            if (Attributes.KeepAspect != "stretch") dims[axis] = CommonScale(node, x, sizes) is { } scale && x[axis].IsKnown ? (long)MathF.Floor(scale * x[axis].Length + 0.5f) : Dim.Unknown;
        }
        return new(dims);
    }

    /// <summary>The factor that keeps the aspect ratio; null while a length is not known.</summary>
    private float? CommonScale(Node node, SymbolicShape x, Dim[] sizes)
    {
        float? common = null;
        for (int i = 0; i < sizes.Length; i++)
        {
            int axis = Attributes.Axis(node, i, x.Rank);
            if (!x[axis].IsKnown || !sizes[i].IsKnown) return null;
            float scale = (float)sizes[i].Length / x[axis].Length;
            common = common is not { } other ? scale : Attributes.KeepAspect == "not_larger" ? MathF.Min(other, scale) : MathF.Max(other, scale);
        }
        return common;
    }

    private SymbolicShape FromScales(Node node, SymbolicShape x, float[] scales)
    {
        CheckCount(node, "scales", scales.Length, x.Rank);
        Dim[] dims = x.Dims.ToArray();
        for (int i = 0; i < scales.Length; i++)
        {
            float scale = scales[i];
            node.Expect(scale > 0 && float.IsFinite(scale), $"scales are [{string.Join(", ", scales)}], expected finite numbers above 0");
            int axis = Attributes.Axis(node, i, x.Rank);
            if (scale != 1) dims[axis] = x[axis].Map(length => (long)MathF.Floor(length * scale));
        }
        return new(dims);
    }

    private void CheckCount(Node node, string name, int count, int rank) =>
        node.Expect(count == (Attributes.Axes?.Length ?? rank), $"{name} has {count} elements, expected {Attributes.Axes?.Length ?? rank}");

    private static float[]? FloatsOf(Tensor? tensor) => tensor?.Type switch
    {
        ElementType.Float32 => tensor.Span<float>().ToArray(),
        ElementType.Float64 => Array.ConvertAll(tensor.Span<double>().ToArray(), value => (float)value),
        ElementType.Float16 => Array.ConvertAll(tensor.Span<Half>().ToArray(), value => (float)value),
        _ => null,
    };
}

/// <summary>ai.fewbit ResizeAdjoint(dy, shape of x, roi, scales, sizes): the adjoint of Resize, its gradient.</summary>
internal sealed record ResizeAdjoint(Resize Forward) : ICompiledOperator, IDifferentiable
{
    public static ResizeAdjoint Parse(Node node) => new(new Resize(ResizeAttributes.Parse(node), 2, null));

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(2, 5);
        context.SetOutput(0, context.Node.ExpectOneFloatType(context, inputs: 1), ConvBackward.StatedShape(context, 1, context.InputShape(0)));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        Shape x = context.OutputShape(0), y = context.InputShape(0);
        ResizeAxis[] Maps(EvaluationContext run) => Forward.Maps(run.Node, x, y, index => run.FindInput(index + 1));
        return context.InputType(0) switch
        {
            ElementType.Float32 => new ResizeAdjointKernel<float>(x, y, Maps),
            ElementType.Float64 => new ResizeAdjointKernel<double>(x, y, Maps),
            var other => context.Node.NoKernel(other),
        };
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        if (context.Graph.OpsetVersion("") < 11)
        {
            context.SetInputGradient(0, gradient.Apply("Resize", new Attributes { { "mode", context.Node.String("mode", "nearest") } }, context.Input(3)));
            return;
        }
        var attributes = context.Node.Attributes.Clone(body => body);
        attributes.Set("extrapolation_value", 0f);
        context.SetInputGradient(0, gradient.Apply("Resize", attributes, [.. Enumerable.Range(2, 3).Select(context.Node.Input)]));
    }
}
