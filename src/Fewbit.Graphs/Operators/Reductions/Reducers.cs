using System.Numerics;

namespace Fewbit.Graphs.Operators.Reductions;

/// <summary>float32 summed up in float64: as exact as the result can hold, whatever the length.</summary>
internal readonly unsafe struct FloatSum<TFormula> : IReducer<float, double> where TFormula : struct, ISumFormula
{
    public static double Start => 0;

    public static double Add(double state, float x) => state + TFormula.Map((double)x);

    public static double AddRun<TSelf>(double state, float* x, long count) where TSelf : IReducer<float, double>
    {
        Vector<double> low = default, high = default;
        long i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(Vector.Load(x + i), out Vector<double> first, out Vector<double> second);
            low += TFormula.Map(first);
            high += TFormula.Map(second);
        }
        state += Vector.Sum(low + high);
        for (; i < count; i++) state += TFormula.Map((double)x[i]);
        return state;
    }

    public static void AddRow<TSelf>(double* states, float* x, int count) where TSelf : IReducer<float, double>
    {
        int i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Widen(Vector.Load(x + i), out Vector<double> first, out Vector<double> second);
            (Vector.Load(states + i) + TFormula.Map(first)).Store(states + i);
            (Vector.Load(states + i + Vector<double>.Count) + TFormula.Map(second)).Store(states + i + Vector<double>.Count);
        }
        for (; i < count; i++) states[i] += TFormula.Map((double)x[i]);
    }

    public static float Finish(double state, long count) => (float)TFormula.Finish(state, count);
}

/// <summary>float64 summed up one by one.</summary>
internal readonly struct DoubleSum<TFormula> : IReducer<double, double> where TFormula : struct, ISumFormula
{
    public static double Start => 0;

    public static double Add(double state, double x) => state + TFormula.Map(x);

    public static double Finish(double state, long count) => TFormula.Finish(state, count);
}

/// <summary>Integers summed up in 64 bits; the result keeps its lower bits.</summary>
internal readonly struct IntegerSum<T, TFormula> : IReducer<T, long> where T : unmanaged, INumber<T> where TFormula : struct, ISumFormula
{
    public static long Start => 0;

    public static long Add(long state, T x) => unchecked(state + TFormula.Map(long.CreateTruncating(x)));

    public static T Finish(long state, long count) => T.CreateTruncating(TFormula.Finish(state, count));
}

/// <summary>Products in float64 or 64-bit integers.</summary>
internal readonly struct Product<T, TState> : IReducer<T, TState> where T : unmanaged, INumber<T> where TState : unmanaged, INumber<TState>
{
    public static TState Start => TState.One;

    public static TState Add(TState state, T x) => unchecked(state * TState.CreateTruncating(x));

    public static T Finish(TState state, long count) => T.CreateTruncating(state);
}

/// <summary>The largest element; NaN where one is NaN; the lowest number of the type where there is none.</summary>
internal readonly unsafe struct Largest<T> : IReducer<T, T> where T : unmanaged, INumber<T>
{
    public static T Start => T.CreateSaturating(double.NegativeInfinity);

    public static T Add(T state, T x) => T.Max(state, x);

    public static T AddRun<TSelf>(T state, T* x, long count) where TSelf : IReducer<T, T>
    {
        long i = 0;
        if (count >= Vector<T>.Count)
        {
            var largest = new Vector<T>(state);
            for (; i <= count - Vector<T>.Count; i += Vector<T>.Count) largest = Vector.Max(largest, Vector.Load(x + i));
            for (int lane = 0; lane < Vector<T>.Count; lane++) state = T.Max(state, largest[lane]);
        }
        for (; i < count; i++) state = T.Max(state, x[i]);
        return state;
    }

    public static T Finish(T state, long count) => state;
}

/// <summary>The smallest element; NaN where one is NaN; the highest number of the type where there is none.</summary>
internal readonly struct Smallest<T> : IReducer<T, T> where T : unmanaged, INumber<T>
{
    public static T Start => T.CreateSaturating(double.PositiveInfinity);

    public static T Add(T state, T x) => T.Min(state, x);

    public static T Finish(T state, long count) => state;
}

/// <summary>The logarithm of the sum of exponentials, relative to the largest element so far.</summary>
internal readonly struct LogSumExp<T> : IReducer<T, (double Largest, double Sum)> where T : unmanaged, INumber<T>
{
    public static (double Largest, double Sum) Start => (double.NegativeInfinity, 0);

    public static (double Largest, double Sum) Add((double Largest, double Sum) state, T x)
    {
        double number = double.CreateTruncating(x);
        if (number <= state.Largest) return (state.Largest, state.Sum + (double.IsInfinity(number) ? number > 0 ? 1 : 0 : Math.Exp(number - state.Largest)));
        return (number, state.Sum * Math.Exp(state.Largest - number) + 1);
    }

    public static T Finish((double Largest, double Sum) state, long count) => T.CreateTruncating(double.IsInfinity(state.Largest) ? state.Largest : state.Largest + Math.Log(state.Sum));
}
