using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators.Movement;

/// <summary>A strided copy of input 0 into output 0 whose lengths and steps are known when a plan is made.</summary>
/// <param name="axes">Outermost first.</param>
/// <param name="from">First element that is read.</param>
/// <param name="to">First element that is written.</param>
/// <param name="fills">Whether the output is filled first.</param>
/// <param name="fillInput">Input that holds the element to fill with; zeros where it is -1 or left out.</param>
internal sealed unsafe class StridedCopyKernel(CopyAxis[] axes, long from, long to, bool fills, int fillInput = -1) : IKernel
{
    public void Run(EvaluationContext context)
    {
        (Tensor input, Tensor output) = (context.Input(0), context.Output(0));
        if (fills && fillInput >= 0 && context.FindInput(fillInput) is { } number) ElementDispatch.Word(context.Node, output.Type, new FillAction(context.Node, number, output));
        else if (fills) new Span<byte>(output.Address, checked((int)output.ByteCount)).Clear();
        int width = input.Type.BitWidth() / 8;
        StridedCopy.Run(context.Node, input.Type, input.Address + from * width, output.Address + to * width, axes);
        GC.KeepAlive(context);
    }

    private readonly struct FillAction(Node node, Tensor number, Tensor output) : IWordAction
    {
        public void Run<T>() where T : unmanaged
        {
            node.Expect(number.Type == output.Type && number.ElementCount == 1, $"pads {output} with {number}, expected one {output.Type.Name()} number");
            new Span<T>(output.Address, checked((int)output.ElementCount)).Fill(*(T*)number.Address);
        }
    }
}
