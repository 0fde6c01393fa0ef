using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX MaxUnpool, opset 11: puts each element where its maximum was found, zeros elsewhere.</summary>
/// <remarks>Indices count the elements of the smallest output that strides, kernel and padding give; a larger output_shape adds zeros behind it.</remarks>
/// <param name="Window">Strides and padding of the pooling.</param>
/// <param name="Kernel">Its kernel.</param>
internal sealed record MaxUnpool(WindowAttributes Window, long[] Kernel) : IDifferentiable
{
    private const int Indices = 1, OutputShape = 2;

    public static MaxUnpool Parse(Node node) => new(WindowAttributes.Parse(node), PoolInference.Kernel(node));

    public void Infer(InferenceContext context)
    {
        Node node = context.Node;
        node.ExpectInputs(2, 3);
        context.ExpectType(Indices, type => type == ElementType.Int64, "int64 indices");
        SymbolicShape? x = context.InputShape(0), indices = context.InputShape(Indices), output = null;
        if (x is not null)
        {
            node.Expect(x.Rank == Kernel.Length + 2, $"input has shape {x}, but kernel_shape has {Kernel.Length} lengths, expected {x.Rank - 2}");
            node.Expect(indices is null || indices.Rank == x.Rank, $"indices have shape {indices}, expected {x}");
            Window.CheckLists(node, Kernel.Length);
            output = Smallest(node, x);
        }
        if (context.HasInput(OutputShape))
        {
            SymbolicShape? least = output;
            output = context.InputDims(OutputShape) is { } dims ? new(dims) : null;
            if (output is not null && least is not null)
            {
                bool fits = output.Rank == least.Rank && Enumerable.Range(0, least.Rank).All(axis => !output[axis].IsKnown || !least[axis].IsKnown || output[axis].Length >= least[axis].Length);
                node.Expect(fits, $"output_shape is {output}, expected at least {least}");
            }
        }
        context.SetOutput(0, context.InputType(0), output);
    }

    public void Evaluate(EvaluationContext context)
    {
        if (!Converted.Unpacked(context, this)) ElementDispatch.Word(context.Node, context.Input(0).Type, new Action(context, this));
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        Value x = context.Input(0);
        SymbolicShape smallest = Smallest(context.Node, x.Shape ?? throw context.Node.Fail("its gradient rule needs the rank of its input"));
        for (int axis = 2; axis < smallest.Rank; axis++)
        {
            context.Node.Expect(smallest[axis].IsKnown, $"its gradient rule needs dimension {axis} of its input, which is {x}");
            gradient = gradient.Slice(axis, 0, smallest[axis].Length);
        }
        context.SetInputGradient(0, gradient.To(-1).Apply("Gather", context.Input(Indices)));
    }

    private SymbolicShape Smallest(Node node, SymbolicShape x)
    {
        var dims = x.Dims.ToArray();
        for (int axis = 0; axis < Kernel.Length; axis++)
        {
            int d = axis;
            dims[d + 2] = dims[d + 2].Map(length => checked((length - 1) * Window.Stride(d) + Kernel[d] - Window.PadBegin(d) - Window.PadEnd(d)));
            node.Expect(!dims[d + 2].IsKnown || dims[d + 2].Length >= 0, $"padding is larger than the output in spatial dimension {d}");
        }
        return new(dims);
    }

    private readonly unsafe struct Action(EvaluationContext context, MaxUnpool settings) : IWordAction
    {
        public void Run<T>() where T : unmanaged
        {
            (Tensor input, Tensor output) = (context.Input(0), context.Output(0));
            Shape smallest = settings.Smallest(context.Node, SymbolicShape.From(input.Shape)).ToShape();
            context.Node.Expect(context.Input(Indices).Shape == input.Shape, $"indices have shape {context.Input(Indices).Shape}, expected {input.Shape}");
            Span<long> indices = context.Input(Indices).Span<long>();
            T* x = (T*)input.Address, y = (T*)output.Address;
            new Span<byte>(y, checked((int)output.ByteCount)).Clear();
            long[] strides = output.Shape.Strides();
            for (int i = 0; i < indices.Length; i++)
            {
                long rest = indices[i], at = 0;
                context.Node.Expect(rest >= 0 && rest < smallest.ElementCount, $"index {i} is {rest}, expected 0 to {smallest.ElementCount - 1} (output {smallest})");
                for (int axis = smallest.Rank - 1; axis >= 0; axis--)
                {
                    (rest, long position) = Math.DivRem(rest, smallest[axis]);
                    at += position * strides[axis];
                }
                y[at] = x[i];
            }
            GC.KeepAlive(context);
        }
    }
}
