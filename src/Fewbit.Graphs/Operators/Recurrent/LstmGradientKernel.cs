using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Kernels;
using Fewbit.Tensors.Threading;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Fewbit.Graphs.Operators;

/// <summary>Walks an LSTM's steps backwards: the gradients of all gates are kept, so that those of the weights and inputs are one product each at the end.</summary>
internal sealed unsafe class LstmGradientKernel<T>(Recurrent op, RecurrentShape shape) : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    private readonly int _rows = shape.Steps * shape.Batch, _width = 4 * shape.Hidden, _state = shape.Batch * shape.Hidden;

    public void Run(EvaluationContext context)
    {
        int hidden = shape.Hidden;
        long products = Math.Max(Math.Max(StridedProduct<T>.ScratchBytes(_rows, shape.Input, _width), StridedProduct<T>.ScratchBytes(shape.Batch, hidden, _width)),
            Math.Max(StridedProduct<T>.ScratchBytes(_width, shape.Input, _rows), StridedProduct<T>.ScratchBytes(_width, hidden, _rows)));
        long packed = typeof(T) == typeof(float) ? (PackedMatrix.Bytes(PackedMatrix.Side.Right, hidden, _width) + 63) / 64 * 64 : 0;
        byte* scratch = (byte*)context.Scratch(products + packed + ((long)_rows * _width + (long)_rows * hidden + 4L * _state + 64) * sizeof(T));
        for (int direction = 0; direction < shape.Directions; direction++) Run(context, direction, scratch, scratch + products, (T*)(scratch + products + packed));
    }

    private void Run(EvaluationContext context, int direction, void* scratch, void* packed, T* memory)
    {
        T* slopes = memory, earlier = slopes + (long)_rows * _width, ofState = earlier + (long)_rows * shape.Hidden, ofCell = ofState + _state, product = ofCell + _state;
        int perDirection = op.Activations.Length / shape.Directions;
        bool isReverse = direction == 1 || op.Direction == "reverse";
        ReadState(context.FindInput(LstmGradient.Arriving + 1), direction, ofState);
        ReadState(context.FindInput(LstmGradient.Arriving + 2), direction, ofCell);
        T* trace = (T*)context.Input(LstmGradient.Trace).Address + (long)direction * _rows * 5 * shape.Hidden;
        var step = new StepJob
        {
            Shape = shape, IsCoupled = op.Variant, Direction = direction, Before = isReverse ? 1 : -1,
            Gate = op.Activations[direction * perDirection], Candidate = op.Activations[direction * perDirection + 1], Result = op.Activations[direction * perDirection + 2],
            Gates = trace, Cells = trace + (long)_rows * _width, Slopes = slopes, OfState = ofState, OfCell = ofCell, Product = product,
            FirstCell = Pointer<T>(context, Recurrent.InitialCell), Lengths = Pointer<int>(context, Recurrent.Lengths), OfOutput = Pointer<T>(context, LstmGradient.Arriving),
            Peepholes = Pointer<T>(context, Recurrent.Peepholes) is var peepholes && peepholes != null ? peepholes + direction * 3 * shape.Hidden : null,
        };
        StridedProduct<T> recurrent = Recurrence(context, direction, packed, product);
        for (int i = 0; i < shape.Steps; i++)
        {
            step.Time = isReverse ? i : shape.Steps - 1 - i;
            step.IsLast = i == 0;
            Workers.Run(step.Chunks, ref step);
            recurrent.A = slopes + (long)shape.RowOf(step.Time, 0) * _width;
            recurrent.Run(scratch);
        }
        if (shape.Steps > 0) step.TakeProduct();
        WriteState(context.Output(4), direction, ofState);
        WriteState(context.Output(5), direction, ofCell);
        GatherEarlier(context, direction, isReverse, earlier);
        Finish(context, direction, slopes, earlier, scratch);
        Sums(context, direction, slopes, step);
    }

    private static TElement* Pointer<TElement>(EvaluationContext context, int input) where TElement : unmanaged => context.FindInput(input) is { } tensor ? (TElement*)tensor.Address : null;

    /// <summary>Gradients of the gates of a step * R: what reaches the state before it.</summary>
    private StridedProduct<T> Recurrence(EvaluationContext context, int direction, void* packed, T* product)
    {
        T* weight = (T*)context.Input(2).Address + (long)direction * _width * shape.Hidden;
        PackedMatrix matrix = default;
        if (typeof(T) == typeof(float) && KernelPaths.Active != KernelPath.Scalar) matrix = PackedMatrix.Pack(PackedMatrix.Side.Right, (float*)weight, shape.Hidden, false, shape.Hidden, _width, (float*)packed);
        return new() { M = shape.Batch, N = shape.Hidden, K = _width, StrideA = shape.RowStep * _width, B = weight, StrideB = shape.Hidden, C = product, StrideC = shape.Hidden, Packed = matrix };
    }

    /// <summary>The products over all steps: gradients of x, W and R.</summary>
    private void Finish(EvaluationContext context, int direction, T* slopes, T* earlier, void* scratch)
    {
        T* x = (T*)context.Input(0).Address, weight = (T*)context.Input(1).Address + (long)direction * _width * shape.Input;
        new StridedProduct<T> { M = _rows, N = shape.Input, K = _width, A = slopes, StrideA = _width, B = weight, StrideB = shape.Input, C = (T*)context.Output(0).Address, StrideC = shape.Input, Adds = direction > 0 }.Run(scratch);
        new StridedProduct<T>
        {
            M = _width, N = shape.Input, K = _rows, A = slopes, StrideA = _width, TransposeA = true, B = x, StrideB = shape.Input,
            C = (T*)context.Output(1).Address + (long)direction * _width * shape.Input, StrideC = shape.Input,
        }.Run(scratch);
        new StridedProduct<T>
        {
            M = _width, N = shape.Hidden, K = _rows, A = slopes, StrideA = _width, TransposeA = true, B = earlier, StrideB = shape.Hidden,
            C = (T*)context.Output(2).Address + (long)direction * _width * shape.Hidden, StrideC = shape.Hidden,
        }.Run(scratch);
    }

    /// <summary>Gradients of the bias, whose two halves are just added, and of the peepholes.</summary>
    private void Sums(EvaluationContext context, int direction, T* slopes, in StepJob step)
    {
        Span<T> bias = context.Output(3).Span<T>().Slice(direction * 2 * _width, 2 * _width), sums = bias[.._width], peepholes = context.Output(6).Span<T>().Slice(direction * 3 * shape.Hidden, 3 * shape.Hidden);
        sums.Clear();
        for (int row = 0; row < _rows; row++) TensorPrimitives.Add(sums, new ReadOnlySpan<T>(slopes + (long)row * _width, _width), sums);
        sums.CopyTo(bias[_width..]);
        peepholes.Clear();
        for (int t = 0; step.Peepholes != null && t < shape.Steps; t++)
        {
            for (int n = 0; n < shape.Batch; n++) step.AddPeepholes(t, n, peepholes);
        }
    }

    /// <summary>The state that each step began with, by row; zeros where an item had ended.</summary>
    private void GatherEarlier(EvaluationContext context, int direction, bool isReverse, T* earlier)
    {
        int hidden = shape.Hidden;
        ReadOnlySpan<T> y = context.Input(LstmGradient.Output).Span<T>();
        int* lengths = Pointer<int>(context, Recurrent.Lengths);
        for (int t = 0; t < shape.Steps; t++)
        {
            int before = isReverse ? t + 1 : t - 1;
            for (int n = 0; n < shape.Batch; n++)
            {
                int length = lengths == null ? shape.Steps : Math.Min(lengths[n], shape.Steps);
                var row = new Span<T>(earlier + (long)shape.RowOf(t, n) * hidden, hidden);
                if (t < length && before >= 0 && before < length) y.Slice((int)shape.OutputAt(before, direction, n), hidden).CopyTo(row);
                else if (t < length && context.FindInput(Recurrent.InitialHidden) is { } first) first.Span<T>().Slice(shape.StateAt(direction, n), hidden).CopyTo(row);
                else row.Clear();
            }
        }
    }

    private void ReadState(Tensor? tensor, int direction, T* state)
    {
        for (int n = 0; n < shape.Batch; n++)
        {
            var row = new Span<T>(state + n * shape.Hidden, shape.Hidden);
            if (tensor is null) row.Clear();
            else tensor.Span<T>().Slice(shape.StateAt(direction, n), shape.Hidden).CopyTo(row);
        }
    }

    private void WriteState(Tensor tensor, int direction, T* state)
    {
        for (int n = 0; n < shape.Batch; n++) new Span<T>(state + n * shape.Hidden, shape.Hidden).CopyTo(tensor.Span<T>()[shape.StateAt(direction, n)..]);
    }

    /// <summary>Gradients of the gates of some rows of one step.</summary>
    private struct StepJob : IJob
    {
        public RecurrentShape Shape;
        public RecurrentActivation Gate, Candidate, Result;
        public bool IsCoupled, IsLast;
        public int Time, Direction, Before;
        public T* Gates, Cells, Slopes, OfState, OfCell, Product, FirstCell, OfOutput, Peepholes;
        public int* Lengths;

        public readonly int Chunks => (Shape.Batch + Shape.RowsPerChunk - 1) / Shape.RowsPerChunk;

        public readonly void Run(int chunk)
        {
            int end = Math.Min(Shape.Batch, (chunk + 1) * Shape.RowsPerChunk);
            for (int n = chunk * Shape.RowsPerChunk; n < end; n++)
            {
                if (!IsLast) TakeProduct(Time - Before, n);
                if (IsAlive(Time, n)) Row(n);
                else new Span<T>(Slopes + (long)Shape.RowOf(Time, n) * 4 * Shape.Hidden, 4 * Shape.Hidden).Clear();
            }
        }

        /// <summary>After the last step: what its product says of the first state.</summary>
        public readonly void TakeProduct()
        {
            for (int n = 0; n < Shape.Batch; n++) TakeProduct(Time, n);
        }

        /// <summary>The gradient of the state before a step; where an item had ended, the step kept the state.</summary>
        private readonly void TakeProduct(int time, int n)
        {
            if (IsAlive(time, n)) new Span<T>(Product + n * Shape.Hidden, Shape.Hidden).CopyTo(new(OfState + n * Shape.Hidden, Shape.Hidden));
        }

        private readonly bool IsAlive(int time, int n) => Lengths == null || time < Lengths[n];

        /// <summary>The cell that a step began with; null for zeros.</summary>
        private readonly T* CellBefore(int time, int n)
        {
            int before = time + Before;
            bool isInside = before >= 0 && before < Shape.Steps && IsAlive(before, n);
            return isInside ? Cells + (long)Shape.RowOf(before, n) * Shape.Hidden : FirstCell == null ? null : FirstCell + Shape.StateAt(Direction, n);
        }

        private readonly void Row(int n)
        {
            int size = Shape.Hidden;
            long row = Shape.RowOf(Time, n);
            T* gates = Gates + row * 4 * size, slopes = Slopes + row * 4 * size, cell = Cells + row * size, before = CellBefore(Time, n);
            T* ofState = OfState + n * size, ofCell = OfCell + n * size;
            if (OfOutput != null) TensorPrimitives.Add(new ReadOnlySpan<T>(ofState, size), new ReadOnlySpan<T>(OfOutput + Shape.OutputAt(Time, Direction, n), size), new Span<T>(ofState, size));
            // Until the output gate's own gradient is known, its place holds the activated cell.
            var result = new Span<T>(slopes + size, size);
            new ReadOnlySpan<T>(cell, size).CopyTo(result);
            Result.Apply(result, T.PositiveInfinity);
            bool isPlain = Peepholes == null && !IsCoupled && Gate.Function == RecurrentFunction.Sigmoid && Candidate.Function == RecurrentFunction.Tanh && Result.Function == RecurrentFunction.Tanh;
            for (int i = isPlain ? Vectors(gates, slopes, before, ofState, ofCell, size) : 0; i < size; i++) Element(gates, slopes, cell, before, ofState, ofCell, size, i);
        }

        /// <summary>Sigmoid gates and tanh, whole vectors.</summary>
        /// <returns>Elements done.</returns>
        private static int Vectors(T* gates, T* slopes, T* before, T* ofState, T* ofCell, int size)
        {
            int i = 0, width = Vector<T>.Count;
            Vector<T> one = Vector<T>.One;
            for (; i + width <= size; i += width)
            {
                Vector<T> input = Vector.Load(gates + i), output = Vector.Load(gates + size + i), forget = Vector.Load(gates + 2 * size + i), candidate = Vector.Load(gates + 3 * size + i);
                Vector<T> result = Vector.Load(slopes + size + i), state = Vector.Load(ofState + i), old = before == null ? Vector<T>.Zero : Vector.Load(before + i);
                Vector<T> total = Vector.Load(ofCell + i) + state * output * (one - result * result);
                (total * candidate * input * (one - input)).Store(slopes + i);
                (state * result * output * (one - output)).Store(slopes + size + i);
                (total * old * forget * (one - forget)).Store(slopes + 2 * size + i);
                (total * input * (one - candidate * candidate)).Store(slopes + 3 * size + i);
                (total * forget).Store(ofCell + i);
            }
            return i;
        }

        private readonly void Element(T* gates, T* slopes, T* cell, T* before, T* ofState, T* ofCell, int size, int i)
        {
            T input = gates[i], output = gates[size + i], forget = gates[2 * size + i], candidate = gates[3 * size + i];
            T result = slopes[size + i], state = ofState[i], old = before == null ? T.Zero : before[i];
            T ofOutput = state * result * Gate.SlopeOfResult(output), total = ofCell[i] + state * output * Result.SlopeOfResult(result);
            if (Peepholes != null) total += ofOutput * Peepholes[size + i];
            T ofInput = total * (IsCoupled ? candidate - old : candidate) * Gate.SlopeOfResult(input), ofForget = IsCoupled ? T.Zero : total * old * Gate.SlopeOfResult(forget);
            (slopes[i], slopes[size + i], slopes[2 * size + i], slopes[3 * size + i]) = (ofInput, ofOutput, ofForget, total * input * Candidate.SlopeOfResult(candidate));
            ofCell[i] = total * forget;
            if (Peepholes != null) ofCell[i] += ofInput * Peepholes[i] + ofForget * Peepholes[2 * size + i];
        }

        /// <summary>Adds one row's part of the gradient of the peepholes, in the order input, output, forget.</summary>
        public readonly void AddPeepholes(int time, int n, Span<T> sums)
        {
            if (!IsAlive(time, n)) return;
            int size = Shape.Hidden;
            long row = Shape.RowOf(time, n);
            T* slopes = Slopes + row * 4 * size, cell = Cells + row * size, before = CellBefore(time, n);
            for (int i = 0; i < size; i++)
            {
                T old = before == null ? T.Zero : before[i];
                sums[i] += slopes[i] * old;
                sums[size + i] += slopes[size + i] * cell[i];
                sums[2 * size + i] += slopes[2 * size + i] * old;
            }
        }
    }
}
