using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>ai.fewbit Reorder: the same tensor [N, C, H, W] in the layout of its output, row-major or in blocks of channels.</summary>
internal sealed record Reorder : IOperator
{
    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.ExpectType(0, type => type == ElementType.Float32, "float32");
        context.InferLikeInput();
    }

    public void Evaluate(EvaluationContext context) => Run(context.Input(0), context.Output(0));

    /// <summary>A row-major copy.</summary>
    public static Tensor ToRowMajor(Tensor tensor)
    {
        Tensor copy = Tensor.AllocateUninitialized(tensor.Type, tensor.Shape);
        Run(tensor, copy);
        return copy;
    }

    /// <summary>Copies a tensor into another of the same shape in another layout.</summary>
    public static unsafe void Run(Tensor from, Tensor to)
    {
        if (from.Layout == to.Layout)
        {
            from.CopyTo(to);
            return;
        }
        Shape shape = from.Shape;
        (int batch, int channels, int plane) = (checked((int)shape[0]), checked((int)shape[1]), checked((int)shape.CountOf(2, shape.Rank)));
        if (to.Layout == Layout.ChannelBlocks16) ChannelBlocks.FromRowMajor((float*)from.Address, batch, channels, plane, (float*)to.Address);
        else ChannelBlocks.ToRowMajor((float*)from.Address, batch, channels, plane, (float*)to.Address);
        GC.KeepAlive(from);
        GC.KeepAlive(to);
    }
}
