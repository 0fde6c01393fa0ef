using System.Numerics;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>The sums of an <see cref="Einsum"/> of known lengths, term by term.</summary>
/// <param name="dims">Length of each label, those of the output first.</param>
/// <param name="steps">For each input how far it moves from index to index of each label.</param>
/// <param name="outputDims">Labels of the output.</param>
internal sealed unsafe class EinsumKernel(long[] dims, long[][] steps, int outputDims) : IKernel
{
    public void Run(EvaluationContext context)
    {
        ElementDispatch.Number(context.Node, context.Output(0).Type, new Action(context, this));
        GC.KeepAlive(context);
    }

    private readonly struct Action(EvaluationContext context, EinsumKernel kernel) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T> => kernel.Sum(context, context.Output(0).Span<T>());
    }

    private void Sum<T>(EvaluationContext context, Span<T> y) where T : unmanaged, INumber<T>
    {
        T** at = stackalloc T*[steps.Length];
        for (int k = 0; k < steps.Length; k++) at[k] = (T*)context.Input(k).Address;
        Span<long> position = stackalloc long[dims.Length];
        position.Clear();
        long terms = 1;
        for (int axis = outputDims; axis < dims.Length; axis++) terms *= dims[axis];
        for (int i = 0; i < y.Length; i++)
        {
            T sum = T.Zero;
            for (long term = 0; term < terms; term++)
            {
                T product = *at[0];
                for (int k = 1; k < steps.Length; k++) product *= *at[k];
                sum += product;
                Next(position, at);
            }
            y[i] = sum;
        }
    }

    private void Next<T>(Span<long> position, T** at) where T : unmanaged
    {
        for (int axis = dims.Length - 1; axis >= 0; axis--)
        {
            bool isEnd = ++position[axis] == dims[axis];
            for (int k = 0; k < steps.Length; k++) at[k] += isEnd ? -steps[k][axis] * (dims[axis] - 1) : steps[k][axis];
            if (!isEnd) return;
            position[axis] = 0;
        }
    }
}
