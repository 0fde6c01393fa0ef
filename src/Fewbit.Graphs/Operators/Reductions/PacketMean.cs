using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>ReduceMean over the last dimensions in float32, in the order in which ONNX Runtime sums up: <see cref="PacketSums"/>.</summary>
/// <param name="Axis">First reduced dimension; all behind it are reduced too.</param>
/// <param name="KeepsDims">Whether reduced dimensions stay with length 1.</param>
/// <param name="IsChannelsLast">[N, C, ...] over all but N: the sum runs with the channels innermost.</param>
internal sealed record PacketMean(int Axis, bool KeepsDims, bool IsChannelsLast) : IOperator
{
    public static PacketMean Parse(Node node) => new((int)node.Int("axis"), node.Int("keepdims", 1) != 0, node.Int("channels_last", 0) != 0);

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        SymbolicShape? shape = context.InputShape(0);
        if (shape is not null)
        {
            context.Node.Expect(shape.Rank > Axis, $"input has shape {shape}, expected more than {Axis} dimensions");
            shape = new([.. shape.Dims[..Axis], .. KeepsDims ? Enumerable.Repeat((Dim)1, shape.Rank - Axis) : []]);
        }
        context.SetOutput(0, context.InputType(0), shape);
    }

    public unsafe void Evaluate(EvaluationContext context)
    {
        Tensor x = context.Input(0), y = context.Output(0);
        int length = checked((int)x.Shape.CountOf(Axis, x.Rank));
        var job = new RowJob { X = (float*)x.Address, Y = (float*)y.Address, Length = length, Channels = IsChannelsLast ? (int)x.Shape[1] : 1 };
        Workers.Run(checked((int)y.ElementCount), ref job);
        GC.KeepAlive(context);
    }

    /// <summary>A chunk is one mean.</summary>
    private unsafe struct RowJob : IJob
    {
        public float* X;
        public float* Y;
        public int Length;
        public int Channels;

        public readonly void Run(int chunk)
        {
            long start = (long)chunk * Length;
            var row = new ReadOnlySpan<float>(X + start, Length);
            Y[chunk] = PacketSums.Sum(Channels > 1 ? ChannelsLast(row) : row, (int)(-start & 3)) / Length;
        }

        private readonly float[] ChannelsLast(ReadOnlySpan<float> row)
        {
            var turned = new float[Length];
            int plane = Length / Channels;
            for (int channel = 0; channel < Channels; channel++)
            {
                for (int i = 0; i < plane; i++) turned[i * Channels + channel] = row[channel * plane + i];
            }
            return turned;
        }
    }
}
