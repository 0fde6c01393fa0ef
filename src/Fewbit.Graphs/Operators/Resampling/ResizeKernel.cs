using System.Numerics;
using Fewbit.Tensors;
using Fewbit.Tensors.Threading;

namespace Fewbit.Graphs.Operators;

/// <summary>Applies the maps of a Resize, one dimension after the other.</summary>
internal sealed unsafe class ResizeKernel(Shape x, Shape y, ResizeAttributes attributes, ElementType type, ResizeAxis[]? maps, Func<EvaluationContext, ResizeAxis[]> makeMaps) : IKernel
{
    public void Run(EvaluationContext context)
    {
        if (y.ElementCount == 0) return;
        ResizeAxis[] axes = maps ?? makeMaps(context);
        if (attributes.Mode == Interpolation.Nearest) ElementDispatch.Word(context.Node, type, new Gather(context, x, y, axes));
        else ElementDispatch.Number(context.Node, type, new Interpolate(context, x, y, axes));
        if (Array.Exists(axes, axis => axis.IsOutside is not null)) ElementDispatch.Number(context.Node, type, new Extrapolate(context, y, axes, attributes.Extrapolation));
    }

    /// <summary>Nearest: each row of the output gathers from one row of the input.</summary>
    private readonly struct Gather(EvaluationContext context, Shape x, Shape y, ResizeAxis[] axes) : IWordAction
    {
        public void Run<T>() where T : unmanaged
        {
            var (from, to) = (context.Input(0), context.Output(0));
            int rank = y.Rank, outer = (int)y.CountOf(0, Math.Max(0, rank - 2)), rows = rank > 1 ? (int)y[rank - 2] : 1, columns = (int)y.Dims[^1], inColumns = (int)x.Dims[^1];
            long inRows = rank > 1 ? x[rank - 2] : 1;
            fixed (int* rowOf = rank > 1 ? axes[rank - 2].Positions : [0], columnOf = axes[^1].Positions)
            {
                var starts = new long[outer];
                for (int i = 0; i < outer; i++) starts[i] = PlaneOf(i) * inRows * inColumns;
                fixed (long* first = starts)
                {
                    var job = new GatherJob<T>((T*)from.Address, (T*)to.Address, first, rowOf, columnOf, rows, columns, inColumns);
                    Workers.Run(outer, ref job);
                }
            }
        }

        /// <summary>The plane of the input that a plane of the output gathers from.</summary>
        private long PlaneOf(int plane)
        {
            long source = 0, step = 1;
            for (int axis = y.Rank - 3; axis >= 0; axis--)
            {
                source += axes[axis].Positions[plane % y[axis]] * step;
                plane /= (int)y[axis];
                step *= x[axis];
            }
            return source;
        }
    }

    private readonly struct GatherJob<T>(T* x, T* y, long* starts, int* rowOf, int* columnOf, int rows, int columns, int inColumns) : IJob where T : unmanaged
    {
        public void Run(int plane)
        {
            T* to = y + (long)plane * rows * columns;
            for (int i = 0; i < rows; i++, to += columns)
            {
                if (i > 0 && rowOf[i] == rowOf[i - 1])
                {
                    new ReadOnlySpan<T>(to - columns, columns).CopyTo(new(to, columns));
                    continue;
                }
                T* from = x + starts[plane] + (long)rowOf[i] * inColumns;
                for (int j = 0; j < columns; j++) to[j] = from[columnOf[j]];
            }
        }
    }

    /// <summary>Linear and cubic: weighted sums along one dimension after the other, the last dimension first, in the type itself or in float32.</summary>
    private readonly struct Interpolate(EvaluationContext context, Shape x, Shape y, ResizeAxis[] axes) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T>
        {
            if (typeof(T) == typeof(double)) Write(ResizePasses.Forward(context.Input(0).Span<double>().ToArray(), x, axes));
            else if (typeof(T) == typeof(float) && BilinearResize.Fits(x, axes)) BilinearResize.Run((float*)context.Input(0).Address, (float*)context.Output(0).Address, x, axes);
            else if (typeof(T) == typeof(float)) ResizePasses.Forward((float*)context.Input(0).Address, (float*)context.Output(0).Address, x, y, axes, context);
            else
            {
                Span<T> from = context.Input(0).Span<T>(), to = context.Output(0).Span<T>();
                var wide = new float[from.Length];
                for (int i = 0; i < wide.Length; i++) wide[i] = float.CreateChecked(from[i]);
                float[] result = ResizePasses.Forward(wide, x, axes);
                for (int i = 0; i < result.Length; i++) to[i] = T.CreateSaturating(result[i]);
            }
        }

        private void Write(double[] result) => result.CopyTo(context.Output(0).Span<double>());
    }

    private readonly struct Extrapolate(EvaluationContext context, Shape y, ResizeAxis[] axes, float value) : INumberAction
    {
        public void Run<T>() where T : unmanaged, INumber<T>
        {
            Span<T> to = context.Output(0).Span<T>();
            long[] strides = y.Strides();
            for (int i = 0; i < to.Length; i++)
            {
                for (int axis = 0; axis < axes.Length; axis++)
                {
                    if (axes[axis].IsOutside is { } outside && outside[i / strides[axis] % y[axis]]) to[i] = T.CreateSaturating(value);
                }
            }
        }
    }
}

/// <summary>Scatters the output's gradient back over the taps of each dimension.</summary>
internal sealed class ResizeAdjointKernel<T>(Shape x, Shape y, Func<EvaluationContext, ResizeAxis[]> makeMaps) : IKernel where T : unmanaged, IBinaryFloatingPointIeee754<T>
{
    public void Run(EvaluationContext context)
    {
        ResizeAxis[] axes = makeMaps(context);
        T[] current = context.Input(0).Span<T>().ToArray();
        Shape shape = y;
        for (int axis = 0; axis < axes.Length; axis++)
        {
            Shape next = shape.With(axis, x[axis]);
            var result = new T[next.ElementCount];
            int inner = (int)y.CountOf(axis + 1, y.Rank), outer = (int)x.CountOf(0, axis);
            for (int o = 0; o < outer; o++) Scatter(axes[axis], current.AsSpan(o * axes[axis].Output * inner), result.AsSpan(o * (int)x[axis] * inner), inner);
            (current, shape) = (result, next);
        }
        current.CopyTo(context.Output(0).Span<T>());
    }

    private static void Scatter(ResizeAxis map, ReadOnlySpan<T> from, Span<T> to, int inner)
    {
        for (int j = 0; j < map.Output; j++)
        {
            if (map.IsOutside is { } outside && outside[j]) continue;
            for (int tap = map.Starts[j]; tap < map.Starts[j + 1]; tap++)
            {
                T weight = T.CreateChecked(map.Weights[tap]);
                for (int i = 0; i < inner; i++) to[map.Positions[tap] * inner + i] += weight * from[j * inner + i];
            }
        }
    }
}
