using System.Numerics;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>
/// ConvTranspose in float32 as ONNX Runtime computes it: for each tap the sum over the channels by fused multiply-adds in order, these sums added to the image tap by tap, then the bias.
/// </summary>
/// <param name="Form">The operator whose result this is.</param>
internal sealed record ColumnConvTranspose(ConvTranspose Form) : ICompiledOperator
{
    public static ColumnConvTranspose Parse(Node node) => new(ConvTranspose.Parse(node));

    public void Infer(InferenceContext context) => Form.Infer(context);

    public void Evaluate(EvaluationContext context) => this.PrepareAndRun(context);

    public IKernel? Compile(CompilationContext context) => new Kernel(Form.Geometry(context.Node, context.InputShape(0), context.InputShape(1)));

    private sealed unsafe class Kernel(ConvGeometry shape) : IKernel
    {
        public void Run(EvaluationContext context)
        {
            float* bias = context.FindInput(2) is { } tensor ? (float*)tensor.Address : null;
            var job = new ImageJob(shape, (float*)context.Input(0).Address, (float*)context.Input(1).Address, bias, (float*)context.Output(0).Address);
            Workers.Run(shape.Batch * shape.InChannels, ref job);
            GC.KeepAlive(context);
        }
    }

    /// <summary>A chunk is one channel of one output. The geometry is that of the convolution whose adjoint this is: In is the length of the output, Out that of the input.</summary>
    private readonly unsafe struct ImageJob(ConvGeometry shape, float* x, float* w, float* bias, float* y) : IJob
    {
        private readonly int _inChannels = shape.InChannels, _outChannels = shape.OutChannels, _groupIn = shape.GroupInChannels, _groupOut = shape.GroupOutChannels;
        private readonly int _taps = shape.Taps, _pixels = checked((int)shape.OutPlane), _image = checked((int)shape.InPlane);
        private readonly WindowAxis _a = shape.Axes[0], _b = shape.Axes[1], _c = shape.Axes[2];

        public void Run(int chunk)
        {
            (int n, int channel) = Math.DivRem(chunk, _inChannels);
            (int group, int inGroup) = Math.DivRem(channel, _groupIn);
            int firstInput = group * _groupOut, step = _groupIn * _taps;
            var image = new Span<float>(y + (long)chunk * _image, _image);
            image.Clear();
            var sums = new float[_pixels];
            for (int tap = 0; tap < _taps; tap++)
            {
                SumChannels(x + ((long)n * _outChannels + firstInput) * _pixels, w + (long)firstInput * step + inGroup * _taps + tap, step, sums);
                AddTap(sums, tap, image);
            }
            if (bias == null) return;
            foreach (ref float value in image) value += bias[channel];
        }

        private void SumChannels(float* from, float* weights, int step, Span<float> sums)
        {
            int pixels = sums.Length, width = Vector<float>.Count, i = 0;
            for (; i + width <= pixels; i += width)
            {
                Vector<float> sum = default;
                for (int k = 0; k < _groupOut; k++) sum = Vector.FusedMultiplyAdd(new Vector<float>(weights[(long)k * step]), *(Vector<float>*)(from + (long)k * pixels + i), sum);
                sum.CopyTo(sums[i..]);
            }
            for (; i < pixels; i++)
            {
                float sum = 0;
                for (int k = 0; k < _groupOut; k++) sum = MathF.FusedMultiplyAdd(weights[(long)k * step], from[(long)k * pixels + i], sum);
                sums[i] = sum;
            }
        }

        private void AddTap(ReadOnlySpan<float> sums, int tap, Span<float> image)
        {
            (int rest, int r) = Math.DivRem(tap, _c.Kernel);
            (int p, int q) = Math.DivRem(rest, _b.Kernel);
            int next = 0;
            for (int i = 0; i < _a.Out; i++)
            {
                for (int j = 0; j < _b.Out; j++)
                {
                    (int plane, int line) = (_a.Position(i, p), _b.Position(j, q));
                    bool isInside = (uint)plane < (uint)_a.In && (uint)line < (uint)_b.In;
                    for (int k = 0; k < _c.Out; k++, next++)
                    {
                        int at = _c.Position(k, r);
                        if (isInside && (uint)at < (uint)_c.In) image[(plane * _b.In + line) * _c.In + at] += sums[next];
                    }
                }
            }
        }
    }
}
