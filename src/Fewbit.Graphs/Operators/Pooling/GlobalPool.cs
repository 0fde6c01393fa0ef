using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>ONNX GlobalAveragePool and GlobalMaxPool: one number for each plane of [N, C, spatial].</summary>
internal sealed record GlobalPool(bool IsMaximum) : ICompiledOperator, IDifferentiable
{
    public static SymbolicShape? Output(InferenceContext context)
    {
        if (context.InputShape(0) is not { } x) return null;
        context.Node.Expect(x.Rank >= 2, $"input has shape {x}, expected [N, C, ...]");
        return new([x[0], x[1], .. Enumerable.Repeat<Dim>(1, x.Rank - 2)]);
    }

    public void Infer(InferenceContext context)
    {
        context.Node.ExpectInputs(1, 1);
        context.SetOutput(0, context.Node.ExpectOneFloatType(context), Output(context));
    }

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context)
    {
        Shape x = context.InputShape(0);
        int planes = checked((int)(x[0] * x[1])), length = checked((int)x.CountOf(2, x.Rank));
        context.Node.Expect(length > 0 || planes == 0, $"input has shape {x}: an empty plane has neither mean nor maximum");
        if (context.Node.Inputs[0]!.Layout == Layout.ChannelBlocks16) return new BlockedGlobalPoolKernel(checked((int)x[0]), checked((int)x[1]), length, IsMaximum);
        return context.InputType(0) switch
        {
            ElementType.Float32 => new FloatKernel(planes, length, IsMaximum),
            ElementType.Float64 => new Reference<double>(planes, length, IsMaximum),
            ElementType other => context.Node.NoKernel(other),
        };
    }

    public void Gradient(GradientContext context)
    {
        if (!context.Needs(0) || context.OutputGradient() is not { } gradient) return;
        (Value x, Value y) = (context.Input(0), context.Output());
        Value share = IsMaximum ? MaximumShare(x, y) : x.CountRatio(y);
        context.SetInputGradient(0, IsMaximum ? gradient * share : (gradient / share).Apply("Expand", x.Apply("Shape")));
    }

    /// <summary>1 / (number of maxima in the plane) where the maximum lies, 0 elsewhere.</summary>
    private static Value MaximumShare(Value x, Value y)
    {
        Value isLargest = x.Apply("Equal", y).Apply("Cast", new Attributes { { "to", (long)x.Type } });
        return isLargest / isLargest.SumToShapeOf(y);
    }

    private sealed class Reference<T>(int planes, int length, bool isMaximum) : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
    {
        public void Run(EvaluationContext context)
        {
            for (int plane = 0; plane < planes; plane++)
            {
                ReadOnlySpan<T> x = context.Input(0).Span<T>().Slice(plane * length, length);
                T result = isMaximum ? x[0] : T.Zero;
                foreach (T value in x) result = isMaximum ? T.Max(result, value) : result + value;
                context.Output(0).Span<T>()[plane] = isMaximum ? result : result / T.CreateChecked(length);
            }
        }
    }

    private sealed unsafe class FloatKernel(int planes, int length, bool isMaximum) : IKernel
    {
        public void Run(EvaluationContext context)
        {
            var job = new PlaneJob((float*)context.Input(0).Address, (float*)context.Output(0).Address, planes, length, isMaximum);
            Workers.Run(job.Chunks, ref job);
        }
    }

    private readonly unsafe struct PlaneJob(float* x, float* y, int planes, int length, bool isMaximum) : IJob
    {
        private readonly int _planesPerChunk = Math.Max(1, 32768 / Math.Max(1, length));

        public int Chunks => (planes + _planesPerChunk - 1) / _planesPerChunk;

        public void Run(int chunk)
        {
            int end = Math.Min((chunk + 1) * _planesPerChunk, planes);
            for (int plane = chunk * _planesPerChunk; plane < end; plane++)
            {
                var from = new ReadOnlySpan<float>(x + (long)plane * length, length);
                y[plane] = isMaximum ? RowReductions.Max(from) : RowReductions.Sum(from) / length;
            }
        }
    }
}
