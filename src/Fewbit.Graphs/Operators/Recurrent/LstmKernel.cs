using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Fewbit.Graphs.Operators;

/// <summary>Runs an LSTM: one product projects the inputs of all steps, each step adds the product of the state to its rows, and the gates follow row by row.</summary>
/// <remarks>With a fourth output it leaves there, for the gradient, the gates of all steps [rows, 4H] and behind them the cells [rows, H], direction by direction.</remarks>
internal sealed unsafe class LstmKernel<T> : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly Recurrent _op;
    private readonly RecurrentShape _shape;
    private readonly Tensor?[] _packedW, _packedR;

    /// <param name="op">The node's attributes.</param>
    /// <param name="shape">All lengths.</param>
    /// <param name="w">The input weight where it is constant.</param>
    /// <param name="r">The recurrent weight where it is constant.</param>
    public LstmKernel(Recurrent op, RecurrentShape shape, Tensor? w, Tensor? r)
    {
        (_op, _shape) = (op, shape);
        (_packedW, _packedR) = (new Tensor?[shape.Directions], new Tensor?[shape.Directions]);
        int width = 4 * shape.Hidden;
        for (int d = 0; d < shape.Directions; d++)
        {
            if (w is not null) _packedW[d] = PackedRight.Of(w, width, shape.Input, true, (long)d * width * shape.Input);
            if (r is not null) _packedR[d] = PackedRight.Of(r, width, shape.Hidden, true, (long)d * width * shape.Hidden);
        }
    }

    public void Run(EvaluationContext context)
    {
        int rows = _shape.Steps * _shape.Batch, state = _shape.Batch * _shape.Hidden, width = 4 * _shape.Hidden;
        bool traces = context.HasOutput(Recurrent.LstmTrace);
        long product = Math.Max(StridedProduct<T>.ScratchBytes(rows, width, _shape.Input), StridedProduct<T>.ScratchBytes(_shape.Batch, width, _shape.Hidden));
        long packed = typeof(T) == typeof(float) ? (PackedMatrix.Bytes(PackedMatrix.Side.Right, width, _shape.Hidden) + 63) / 64 * 64 : 0;
        byte* scratch = (byte*)context.Scratch(product + packed + ((traces ? 0 : (long)rows * width) + 2L * state + width + 64) * sizeof(T));
        T* memory = (T*)(scratch + product + packed);
        if (context.HasOutput(0)) context.Output(0).Span<T>().Clear();
        for (int d = 0; d < _shape.Directions; d++)
        {
            T* trace = traces ? (T*)context.Output(Recurrent.LstmTrace).Address + (long)d * rows * 5 * _shape.Hidden : null;
            Run(context, d, scratch, scratch + product, trace, memory);
        }
    }

    private void Run(EvaluationContext context, int direction, void* scratch, void* packed, T* trace, T* memory)
    {
        (int hidden, int batch, int rows) = (_shape.Hidden, _shape.Batch, _shape.Steps * _shape.Batch);
        int width = 4 * hidden, perDirection = _op.Activations.Length / _shape.Directions;
        T* bias = memory, state = bias + width, cell = state + batch * hidden, gates = trace != null ? trace : cell + batch * hidden;
        PrepareBias(context, direction, new(bias, width));
        ReadState(context.FindInput(Recurrent.InitialHidden), direction, state);
        ReadState(context.FindInput(Recurrent.InitialCell), direction, cell);
        Projection(context, direction, bias, gates).Run(scratch);
        var step = new StepJob
        {
            Shape = _shape, Clip = T.CreateChecked(_op.Clip), IsCoupled = _op.Variant,
            Gate = _op.Activations[direction * perDirection], Candidate = _op.Activations[direction * perDirection + 1], Result = _op.Activations[direction * perDirection + 2],
            Gates = gates, State = state, Cell = cell, Cells = trace != null ? trace + (long)rows * width : null,
            Peepholes = context.FindInput(Recurrent.Peepholes) is { } peepholes ? (T*)peepholes.Address + direction * 3 * hidden : null,
            Lengths = context.FindInput(Recurrent.Lengths) is { } lengths ? (int*)lengths.Address : null,
            Output = context.HasOutput(0) ? (T*)context.Output(0).Address : null, Direction = direction,
        };
        StridedProduct<T> recurrent = Recurrence(context, direction, packed, state);
        bool isReverse = direction == 1 || _op.Direction == "reverse";
        for (int i = 0; i < _shape.Steps; i++)
        {
            step.Time = isReverse ? _shape.Steps - 1 - i : i;
            recurrent.C = gates + (long)_shape.RowOf(step.Time, 0) * width;
            recurrent.Run(scratch);
            Workers.Run(step.Chunks, ref step);
        }
        WriteState(context, 1, direction, state);
        WriteState(context, 2, direction, cell);
    }

    /// <summary>Both biases are just added to what the activations take.</summary>
    private static void PrepareBias(EvaluationContext context, int direction, Span<T> bias)
    {
        bias.Clear();
        if (context.FindInput(Recurrent.Bias) is not { } stated) return;
        ReadOnlySpan<T> own = stated.Span<T>().Slice(direction * 2 * bias.Length, 2 * bias.Length);
        TensorPrimitives.Add(own[..bias.Length], own[bias.Length..], bias);
    }

    private StridedProduct<T> Projection(EvaluationContext context, int direction, T* bias, T* gates)
    {
        int width = 4 * _shape.Hidden, input = _shape.Input;
        return new()
        {
            M = _shape.Steps * _shape.Batch, N = width, K = input, A = (T*)context.Input(0).Address, StrideA = input, B = (T*)context.Input(1).Address + (long)direction * width * input, StrideB = input,
            TransposeB = true, C = gates, StrideC = width, Bias = bias, Packed = _packedW[direction] is { } weight ? PackedRight.View(weight, width, input) : default,
        };
    }

    /// <summary>Rows of one step += state * R'. A weight that learns is packed once a run.</summary>
    private StridedProduct<T> Recurrence(EvaluationContext context, int direction, void* packed, T* state)
    {
        int hidden = _shape.Hidden, width = 4 * hidden;
        T* weight = (T*)context.Input(2).Address + (long)direction * width * hidden;
        PackedMatrix matrix = default;
        if (typeof(T) == typeof(float) && KernelPaths.Active != KernelPath.Scalar)
        {
            matrix = _packedR[direction] is { } constant ? PackedRight.View(constant, width, hidden)
                : PackedMatrix.Pack(PackedMatrix.Side.Right, (float*)weight, hidden, true, width, hidden, (float*)packed);
        }
        return new() { M = _shape.Batch, N = width, K = hidden, A = state, StrideA = hidden, B = weight, StrideB = hidden, TransposeB = true, StrideC = _shape.RowStep * width, Adds = true, Packed = matrix };
    }

    private void ReadState(Tensor? tensor, int direction, T* state)
    {
        int hidden = _shape.Hidden;
        for (int n = 0; n < _shape.Batch; n++)
        {
            var row = new Span<T>(state + n * hidden, hidden);
            if (tensor is null) row.Clear();
            else tensor.Span<T>().Slice(_shape.StateAt(direction, n), hidden).CopyTo(row);
        }
    }

    private void WriteState(EvaluationContext context, int output, int direction, T* state)
    {
        int hidden = _shape.Hidden;
        if (!context.HasOutput(output)) return;
        for (int n = 0; n < _shape.Batch; n++) new Span<T>(state + n * hidden, hidden).CopyTo(context.Output(output).Span<T>()[_shape.StateAt(direction, n)..]);
    }

    /// <summary>Gates, cell and state of some rows of one step.</summary>
    private struct StepJob : IJob
    {
        public RecurrentShape Shape;
        public RecurrentActivation Gate, Candidate, Result;
        public T Clip;
        public bool IsCoupled;
        public T* Gates, State, Cell, Cells, Peepholes, Output;
        public int* Lengths;
        public int Time, Direction;

        public readonly int Chunks => (Shape.Batch + Shape.RowsPerChunk - 1) / Shape.RowsPerChunk;

        public readonly void Run(int chunk)
        {
            int end = Math.Min(Shape.Batch, (chunk + 1) * Shape.RowsPerChunk);
            for (int n = chunk * Shape.RowsPerChunk; n < end; n++)
            {
                if (Lengths == null || Time < Lengths[n]) Row(n);
            }
        }

        private readonly void Row(int n)
        {
            int size = Shape.Hidden;
            long row = Shape.RowOf(Time, n);
            var x = new Span<T>(Gates + row * 4 * size, 4 * size);
            Span<T> i = x[..size], o = x.Slice(size, size), f = x.Slice(2 * size, size), g = x[(3 * size)..], h = new(State + n * size, size), c = new(Cell + n * size, size);
            bool isPlain = Peepholes == null && !IsCoupled;
            if (isPlain) Gate.Apply(x[..(3 * size)], Clip);
            else
            {
                Peep(i, 0, c);
                Gate.Apply(i, Clip);
                if (IsCoupled) TensorPrimitives.Subtract(T.One, i, f);
                else
                {
                    Peep(f, 2, c);
                    Gate.Apply(f, Clip);
                }
            }
            Candidate.Apply(g, Clip);
            TensorPrimitives.Multiply(f, c, c);
            TensorPrimitives.MultiplyAdd(i, g, c, c);
            if (!isPlain)
            {
                Peep(o, 1, c);
                Gate.Apply(o, Clip);
            }
            c.CopyTo(h);
            Result.Apply(h, T.PositiveInfinity);
            TensorPrimitives.Multiply(o, h, h);
            if (Cells != null) c.CopyTo(new(Cells + row * size, size));
            if (Output != null) h.CopyTo(new(Output + Shape.OutputAt(Time, Direction, n), size));
        }

        private readonly void Peep(Span<T> gate, int index, ReadOnlySpan<T> cell)
        {
            if (Peepholes != null) TensorPrimitives.MultiplyAdd(new ReadOnlySpan<T>(Peepholes + index * gate.Length, gate.Length), cell, gate, gate);
        }
    }
}
