using Fewbit.Tensors.Threading;

namespace Fewbit.Tensors.Kernels;

/// <summary>The adjoint of a convolution in its image: dx from dy and w; also the transposed convolution (with a bias and an activation).</summary>
/// <remarks>
/// The rows y, y + stride, ... of dx see every stride-th tap only: each phase is a convolution of dy with stride 1 and a part of the kernel, turned round.
/// So no zeros are multiplied, and the forward kernels do the work.
/// </remarks>
internal static unsafe class Conv2DBackwardData
{
    /// <summary>Scratch that <see cref="Run"/> needs, aligned to 64.</summary>
    public static long ScratchBytes(in Conv2DShape shape)
    {
        long most = 0;
        for (int phase = 0; phase < Conv2DPhase.Count(shape); phase++)
        {
            Part part = new(shape, phase);
            if (!part.Phase.IsEmpty) most = Math.Max(most, part.WeightBytes + part.PackedBytes + part.OutputBytes + Conv2D.ScratchBytes(part.Shape));
        }
        return most;
    }

    /// <param name="shape">The forward convolution.</param>
    /// <param name="dy">[N, M, OutHeight, OutWidth].</param>
    /// <param name="weights">[M, C / groups, kH, kW], not packed.</param>
    /// <param name="epilogue">Row bias [C] and activation of a transposed convolution; residual of the shape of dx where the stride is 1.</param>
    /// <param name="dx">[N, C, InHeight, InWidth]; overwritten.</param>
    /// <param name="scratch"><see cref="ScratchBytes"/> bytes.</param>
    public static void Run(in Conv2DShape shape, float* dy, float* weights, in Epilogue epilogue, float* dx, void* scratch)
    {
        for (int phase = 0; phase < Conv2DPhase.Count(shape); phase++)
        {
            Part part = new(shape, phase);
            if (part.Shape.OutPlane <= 0 && !part.Phase.HasNoTaps) continue;
            if (part.Phase.IsEmpty)
            {
                part.Fill(epilogue, dx);
                continue;
            }
            float* turned = (float*)scratch;
            byte* packed = (byte*)scratch + part.WeightBytes, rest = packed + part.PackedBytes + part.OutputBytes;
            float* output = part.Phase.IsWhole ? dx : (float*)(packed + part.PackedBytes);
            part.Turn(weights, turned);
            Conv2D.PackWeights(part.Shape, turned, (float*)packed);
            Conv2D.Run(part.Shape, dy, (float*)packed, epilogue, output, rest);
            if (part.Phase.IsWhole) continue;
            var scatter = new ScatterJob(part.Phase, output, dx);
            Workers.Run(shape.Batch * shape.InChannels, ref scatter);
        }
    }

    /// <summary>By its definition, sums in double precision.</summary>
    public static void Reference(in Conv2DShape shape, float* dy, float* weights, float* dx)
    {
        double[] sums = new double[(long)shape.Batch * shape.InChannels * shape.InPlane];
        Conv2DTerms.ForEach(shape, (x, w, y) => sums[x] += (double)dy[y] * weights[w]);
        for (int i = 0; i < sums.Length; i++) dx[i] = (float)sums[i];
    }

    /// <summary>The forward convolution of dy that gives one phase of dx.</summary>
    private readonly struct Part(Conv2DShape shape, int phase)
    {
        public readonly Conv2DPhase Phase = new(shape, phase);

        public Conv2DShape Shape => Phase.Shape;

        public long WeightBytes => Aligned((long)Shape.OutChannels * Shape.Inner * sizeof(float));

        public long PackedBytes => Aligned(Conv2D.PackedWeightBytes(Shape));

        public long OutputBytes => Phase.IsWhole ? 0 : Aligned((long)Shape.Batch * Shape.OutChannels * Shape.OutPlane * sizeof(float));

        /// <summary>w [M, C / groups, taps] to [C, M / groups, taps of the phase in reverse].</summary>
        public void Turn(float* weights, float* turned)
        {
            var view = WeightView.Turned(Phase, weights);
            for (int c = 0; c < Shape.OutChannels; c++)
                for (int m = 0; m < Shape.GroupInChannels; m++)
                    for (int tap = 0; tap < Shape.Taps; tap++) *turned++ = view.At(c, m, tap);
        }

        /// <summary>No tap reaches this phase: the epilogue of zero.</summary>
        public void Fill(in Epilogue epilogue, float* dx)
        {
            Conv2DShape forward = Phase.Forward;
            for (int plane = 0; plane < forward.Batch * forward.InChannels; plane++)
            {
                float value = epilogue.Activation.Apply(epilogue.RowBias == null ? 0 : epilogue.RowBias[plane % forward.InChannels]);
                float* to = dx + (long)plane * forward.InPlane;
                for (int y = Phase.Row; y < forward.InHeight; y += forward.StrideHeight)
                    for (int x = Phase.Column; x < forward.InWidth; x += forward.StrideWidth) to[y * forward.InWidth + x] = value;
            }
        }

        private static long Aligned(long bytes) => (bytes + 63) / 64 * 64;
    }

    /// <summary>A chunk is one plane of dx: its phase takes its places.</summary>
    private readonly struct ScatterJob(Conv2DPhase phase, float* output, float* dx) : IJob
    {
        public void Run(int chunk)
        {
            Conv2DShape shape = phase.Forward;
            float* from = output + (long)chunk * phase.Height * phase.Width;
            float* to = dx + (long)chunk * shape.InPlane;
            for (int y = 0; y < phase.Height; y++)
            {
                float* row = to + (y * shape.StrideHeight + phase.Row) * shape.InWidth + phase.Column;
                for (int x = 0; x < phase.Width; x++) row[x * shape.StrideWidth] = *from++;
            }
        }
    }
}

/// <summary>Every product that a convolution sums, for references.</summary>
internal static class Conv2DTerms
{
    /// <param name="shape">The convolution.</param>
    /// <param name="term">Called with the indices into x, w and y of each product.</param>
    public static void ForEach(in Conv2DShape shape, Action<int, int, int> term)
    {
        for (int n = 0; n < shape.Batch; n++)
        {
            for (int m = 0; m < shape.OutChannels; m++)
            {
                for (int w = 0; w < shape.Inner; w++)
                {
                    int c = m / shape.GroupOutChannels * shape.GroupInChannels + w / shape.Taps, tap = w % shape.Taps;
                    for (int pixel = 0; pixel < shape.OutPlane; pixel++)
                    {
                        int iy = pixel / shape.OutWidth * shape.StrideHeight - shape.PadTop + tap / shape.KernelWidth * shape.DilationHeight;
                        int ix = pixel % shape.OutWidth * shape.StrideWidth - shape.PadLeft + tap % shape.KernelWidth * shape.DilationWidth;
                        if ((uint)iy >= (uint)shape.InHeight || (uint)ix >= (uint)shape.InWidth) continue;
                        term((n * shape.InChannels + c) * shape.InPlane + iy * shape.InWidth + ix, m * shape.Inner + w, (n * shape.OutChannels + m) * shape.OutPlane + pixel);
                    }
                }
            }
        }
    }
}
