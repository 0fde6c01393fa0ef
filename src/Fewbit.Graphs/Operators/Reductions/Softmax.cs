using Fewbit.Graphs.Operators.Elementwise;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>ONNX Softmax and LogSoftmax, opset 13: e^x over its sum along an axis, or the logarithm of that.</summary>
/// <param name="Axis">Dimension that the sum runs over.</param>
/// <param name="IsLogarithmic">True: LogSoftmax.</param>
internal sealed record Softmax(long Axis, bool IsLogarithmic) : IDifferentiable, IInPlaceOperator
{
    public static Softmax Parse(Node node) => new(node.Int("axis", -1), node.OpType == "LogSoftmax");

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.ExpectType(0, ElementTypes.IsFloat, "a float type");
        if (context.InputShape(0) is { } shape) context.Node.Axis(Axis, shape.Rank);
        context.InferLikeInput();
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        if (Converted.ThroughFloat32(context, this)) return;
        Tensor x = context.Input(0);
        int axis = context.Node.Axis(Axis, x.Rank);
        (long outer, long length, long inner) = x.Rank == 0 ? (1, 1, 1) : (x.Shape.CountOf(0, axis), x.Shape[axis], x.Shape.CountOf(axis + 1, x.Rank));
        if (x.ElementCount == 0) return;
        var job = new Job { X = x.Address, Y = context.Output(0).Address, Outer = outer, Length = (int)length, Inner = inner, IsLogarithmic = IsLogarithmic, IsDouble = x.Type == ElementType.Float64 };
        context.Node.Expect(x.Type is ElementType.Float32 or ElementType.Float64, $"does not take {x.Type.Name()} elements");
        job.Prepare();
        Workers.Run(job.Chunks, ref job);
        GC.KeepAlive(context);
    }

    public bool CanOverwrite(int index) => true;

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        var attributes = new Attributes { { "axis", Axis }, { "logarithmic", IsLogarithmic } };
        context.SetInputGradient(0, context.Output().Apply(OperatorTable.FewbitDomain, "SoftmaxGradient", attributes, gradient));
    }

    /// <summary>Slices of one softmax each, or blocks of neighbouring ones where the axis is not the last.</summary>
    private unsafe struct Job : IJob
    {
        private const int Block = 256;
        private const int ChunkElements = 1 << 13;
        public byte* X;
        public byte* Y;
        public long Outer;
        public int Length;
        public long Inner;
        public bool IsLogarithmic;
        public bool IsDouble;
        private long _blocks;
        private long _units;

        public readonly int Chunks => checked((int)((Outer * _blocks + _units - 1) / _units));

        public void Prepare()
        {
            _blocks = (Inner + Block - 1) / Block;
            _units = Math.Max(1, ChunkElements / (Length * Math.Min(Inner, Block)));
        }

        public readonly void Run(int chunk)
        {
            long end = Math.Min(Outer * _blocks, (chunk + 1) * _units);
            for (long unit = chunk * _units; unit < end; unit++)
            {
                (long outer, long block) = Math.DivRem(unit, _blocks);
                long start = outer * Length * Inner + block * Block;
                int width = (int)Math.Min(Block, Inner - block * Block);
                if (IsDouble) Reference((double*)X + start, (double*)Y + start, width);
                else if (Inner == 1) Row(new((float*)X + start, Length), new((float*)Y + start, Length));
                else Columns((float*)X + start, (float*)Y + start, width);
            }
        }

        private readonly void Row(ReadOnlySpan<float> x, Span<float> y)
        {
            float largest = TensorPrimitives.Max(x);
            if (IsLogarithmic)
            {
                fixed (float* from = x) TensorPrimitives.Subtract(x, largest + MathF.Log(Losses.ScoreRows.Exponentials(from, null, x.Length, largest)), y);
                return;
            }
            TensorPrimitives.Subtract(x, largest, y);
            FloatFunctions.Exp(y, y);
            TensorPrimitives.Multiply(y, 1 / RowReductions.SumOf16(y), y);
        }

        private readonly void Columns(float* x, float* y, int width)
        {
            Span<float> largest = stackalloc float[width], sums = stackalloc float[width], row = stackalloc float[width];
            new ReadOnlySpan<float>(x, width).CopyTo(largest);
            for (int i = 1; i < Length; i++) TensorPrimitives.Max(largest, new ReadOnlySpan<float>(x + i * Inner, width), largest);
            sums.Clear();
            for (int i = 0; i < Length; i++)
            {
                TensorPrimitives.Subtract(new ReadOnlySpan<float>(x + i * Inner, width), largest, row);
                if (IsLogarithmic) row.CopyTo(new(y + i * Inner, width));
                FloatFunctions.Exp(row, row);
                TensorPrimitives.Add(sums, row, sums);
                if (!IsLogarithmic) row.CopyTo(new(y + i * Inner, width));
            }
            if (IsLogarithmic) FloatFunctions.Log(sums, sums);
            for (int i = 0; i < Length; i++)
            {
                Span<float> result = new(y + i * Inner, width);
                if (IsLogarithmic) TensorPrimitives.Subtract(result, sums, result);
                else TensorPrimitives.Divide(result, sums, result);
            }
        }

        private readonly void Reference(double* x, double* y, int width)
        {
            for (int column = 0; column < width; column++)
            {
                double largest = double.NegativeInfinity, sum = 0;
                for (int i = 0; i < Length; i++) largest = Math.Max(largest, x[i * Inner + column]);
                for (int i = 0; i < Length; i++) sum += Math.Exp(x[i * Inner + column] - largest);
                for (int i = 0; i < Length; i++)
                {
                    double shifted = x[i * Inner + column] - largest;
                    y[i * Inner + column] = IsLogarithmic ? shifted - Math.Log(sum) : Math.Exp(shifted) / sum;
                }
            }
        }
    }
}
