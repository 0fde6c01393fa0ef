using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>Gradients of <see cref="LayerNormalization"/> where scale and bias are as long as a row: inputs x, scale and the gradient; outputs the gradients of x, scale and bias.</summary>
/// <param name="Axis">First normalized dimension; negative counts from the back.</param>
/// <param name="Epsilon">Added to the variance.</param>
/// <param name="IsCentred">Whether the mean was taken off.</param>
internal sealed record LayerNormalizationGradient(long Axis, float Epsilon, bool IsCentred) : IDifferentiable, IInPlaceOperator
{
    public static LayerNormalizationGradient Parse(Node node) => new(node.Int("axis", -1), node.Float("epsilon", 1e-5f), node.Int("centred", 1) != 0);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(3, 3);
        ElementType type = context.ExpectOneType(0, 1, 2);
        context.SetOutput(0, type, context.InputShape(0));
        context.SetOutput(1, type, context.InputShape(1));
        context.SetOutput(2, type, context.InputShape(1));
    }

    /// <summary>The second reading of a row goes element by element before it is written.</summary>
    public bool CanOverwrite(int index) => index is 0 or 2;

    public void Evaluate(EvaluationContext context) => ElementDispatch.Real(context.Node, context.Input(0).Type, new Action(context, this));

    public void Gradient(GradientContext context) => CompositeGradient.Apply(context, inputs =>
    {
        Value scale = inputs[1]!;
        // A bias of zeros stands for the one that the gradient does not need.
        Value?[] parts = [inputs[0], scale, scale * 0f];
        return CompositeGradient.Of(context.Graph, parts, [inputs[2]], [0, 1, 2], values => new LayerNormalization(Axis, Epsilon, IsCentred).SpellOut(context.Node, values));
    });

    private readonly unsafe struct Action(EvaluationContext context, LayerNormalizationGradient settings) : IRealAction
    {
        public void Run<T>() where T : unmanaged, IBinaryFloatingPointIeee754<T>
        {
            Tensor x = context.Input(0);
            int axis = context.Node.Axis(settings.Axis, x.Rank), length = checked((int)x.Shape.CountOf(axis, x.Rank)), rows = checked((int)x.Shape.CountOf(0, axis));
            var job = new Job<T>
            {
                X = (T*)x.Address, Scale = (T*)context.Input(1).Address, G = (T*)context.Input(2).Address, Output = (T*)context.Output(0).Address,
                Rows = rows, Length = length, Epsilon = T.CreateChecked(settings.Epsilon), IsCentred = settings.IsCentred,
            };
            job.Sums = (T*)context.Scratch(2L * Math.Max(1, job.Chunks) * length * sizeof(T));
            Workers.Run(job.Chunks, ref job);
            for (int part = 0; part < 2; part++)
            {
                if (!context.HasOutput(1 + part)) continue;
                Span<T> total = context.Output(1 + part).Span<T>();
                total.Clear();
                for (int chunk = 0; chunk < job.Chunks; chunk++) System.Numerics.Tensors.TensorPrimitives.Add<T>(total, new ReadOnlySpan<T>(job.Sums + (2L * chunk + part) * length, length), total);
            }
            GC.KeepAlive(context);
        }
    }

    /// <summary>A chunk is some rows, with sums of its own for the parameters.</summary>
    private unsafe struct Job<T> : IJob where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        private const int ChunkElements = 1 << 15;
        public T* X, Scale, G, Output, Sums;
        public int Rows, Length;
        public T Epsilon;
        public bool IsCentred;

        private readonly int RowsPerChunk => Math.Max(1, ChunkElements / Math.Max(1, Length));

        public readonly int Chunks => (Rows + RowsPerChunk - 1) / RowsPerChunk;

        public readonly void Run(int chunk)
        {
            T* ofScale = Sums + 2L * chunk * Length, ofBias = ofScale + Length;
            new Span<T>(ofScale, 2 * Length).Clear();
            int end = Math.Min(Rows, (chunk + 1) * RowsPerChunk);
            for (int row = chunk * RowsPerChunk; row < end; row++)
            {
                long at = (long)row * Length;
                if (typeof(T) == typeof(float)) FloatRow((float*)X + at, (float*)G + at, (float*)Output + at, (float*)ofScale, (float*)ofBias);
                else Row(X + at, G + at, Output + at, ofScale, ofBias);
            }
        }

        private readonly void Row(T* x, T* g, T* output, T* ofScale, T* ofBias)
        {
            T count = T.CreateChecked(Length), mean = T.Zero, squares = T.Zero, sum = T.Zero, product = T.Zero;
            for (int i = 0; IsCentred && i < Length; i++) mean += x[i] / count;
            for (int i = 0; i < Length; i++) squares += (x[i] - mean) * (x[i] - mean);
            T inverse = T.One / T.Sqrt(squares / count + Epsilon);
            for (int i = 0; i < Length; i++)
            {
                T unit = (x[i] - mean) * inverse, scaled = g[i] * Scale[i];
                (sum, product) = (sum + scaled, product + scaled * unit);
            }
            (sum, product) = (IsCentred ? sum / count : T.Zero, product / count);
            for (int i = 0; i < Length; i++)
            {
                T unit = (x[i] - mean) * inverse, gradient = g[i];
                ofScale[i] += gradient * unit;
                ofBias[i] += gradient;
                output[i] = (gradient * Scale[i] - sum - unit * product) * inverse;
            }
        }

        private readonly void FloatRow(float* x, float* g, float* output, float* ofScale, float* ofBias)
        {
            var row = new ReadOnlySpan<float>(x, Length);
            float mean = IsCentred ? RowReductions.Sum(row) / Length : 0, inverse = 1 / MathF.Sqrt(RowReductions.SumOfSquares(row, mean) / Length + float.CreateTruncating(Epsilon));
            float* scale = (float*)Scale;
            int width = Vector<float>.Count, i = 0;
            Vector<float> means = new(mean), inverses = new(inverse), sums = default, products = default;
            for (; i + width <= Length; i += width)
            {
                Vector<float> scaled = *(Vector<float>*)(g + i) * *(Vector<float>*)(scale + i);
                sums += scaled;
                products += scaled * ((*(Vector<float>*)(x + i) - means) * inverses);
            }
            (float sum, float product) = (Vector.Sum(sums), Vector.Sum(products));
            for (; i < Length; i++)
            {
                float scaled = g[i] * scale[i];
                (sum, product) = (sum + scaled, product + scaled * ((x[i] - mean) * inverse));
            }
            (sum, product) = (IsCentred ? sum / Length : 0, product / Length);
            (sums, products) = (new(sum), new(product));
            for (i = 0; i + width <= Length; i += width)
            {
                Vector<float> gradient = *(Vector<float>*)(g + i), unit = (*(Vector<float>*)(x + i) - means) * inverses;
                *(Vector<float>*)(ofScale + i) += gradient * unit;
                *(Vector<float>*)(ofBias + i) += gradient;
                *(Vector<float>*)(output + i) = (gradient * *(Vector<float>*)(scale + i) - sums - unit * products) * inverses;
            }
            for (; i < Length; i++)
            {
                float gradient = g[i], unit = (x[i] - mean) * inverse;
                ofScale[i] += gradient * unit;
                ofBias[i] += gradient;
                output[i] = (gradient * scale[i] - sum - unit * product) * inverse;
            }
        }
    }
}
