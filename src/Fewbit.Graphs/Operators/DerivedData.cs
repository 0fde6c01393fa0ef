using System.Runtime.CompilerServices;
using Fewbit.Tensors;

namespace Fewbit.Graphs.Operators;

/// <summary>Data made from constant tensors (packed weights), kept as long as the tensor lives and shared by all plans.</summary>
internal static class DerivedData
{
    private static readonly ConditionalWeakTable<Tensor, Dictionary<object, object>> Tables = [];

    public static T Get<T>(Tensor source, object key, Func<Tensor, T> derive) where T : class
    {
        Dictionary<object, object> table = Tables.GetOrCreateValue(source);
        lock (table)
        {
            if (table.TryGetValue(key, out object? known)) return (T)known;
            T made = derive(source);
            table.Add(key, made);
            return made;
        }
    }
}
